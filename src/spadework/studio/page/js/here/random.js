// The random numbers of the engine's CPU: Matsumoto and Nishimura's Mersenne Twister, and what PyTorch makes of it.

const N = 624;
const M = 397;

/** MT19937 of a 32-bit seed. */
export class Twister {
  /** @param {number} seed */
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.state[0] = seed;
    for (let i = 1; i < N; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
    this.at = N;
    /** @type {number | null} */
    this.spare = null;
  }

  #refill() {
    const { state } = this;
    for (let i = 0; i < N; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  /** 0 to 2^32 - 1. */
  next() {
    if (this.at === N) this.#refill();
    let y = this.state[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** In [0, 1), a float32 of 24 bits. */
  #float() { return (this.next() & 0xffffff) / 0x1000000; }

  /** In [0, 1), of 53 bits; the high word is drawn first. */
  #double() {
    const high = this.next();
    const low = this.next();
    return ((high & 0x1fffff) * 0x100000000 + low) / 0x20000000000000;
  }

  /** Standard normal values, as `torch.randn` draws them. @param {number} count */
  normals(count) {
    const values = new Float32Array(count);
    if (count < 16) return values.map(() => this.#normal());
    for (let i = 0; i < count; i++) values[i] = this.#float();
    for (let i = 0; i + 16 <= count; i += 16) shape(values.subarray(i, i + 16));
    if (count % 16) {  // the last sixteen are drawn anew
      const tail = values.subarray(count - 16);
      for (let i = 0; i < 16; i++) tail[i] = this.#float();
      shape(tail);
    }
    return values;
  }

  #normal() {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const [angle, radius] = [2 * Math.PI * this.#double(), Math.sqrt(-2 * Math.log1p(-this.#double()))];
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** 0 to count - 1 in another order, as `torch.randperm` has it. @param {number} count */
  permutation(count) {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < count - 1; i++) {
      const other = i + (this.next() % (count - i));
      [order[i], order[other]] = [order[other], order[i]];
    }
    return order;
  }
}

/** Box and Muller on eight pairs. @param {Float32Array} values 16 of them, in [0, 1) */
function shape(values) {
  for (let j = 0; j < 8; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[j]));
    const angle = 2 * Math.PI * values[j + 8];
    values[j] = radius * Math.cos(angle);
    values[j + 8] = radius * Math.sin(angle);
  }
}
