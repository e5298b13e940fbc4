// Noise that belongs to places, as numpy draws it: Philox 4x64-10 (Salmon et al. 2011) and the ziggurat of 256 strips.

const ROUNDS = 10;
const STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const RIGHT = 3.654152885361009;  // where the tail begins
const AREA = 0.004928673233974655;  // of a strip
const FINE = 2 ** 23;

/** The upper half of a product of 32-bit numbers. @param {number} a @param {number} b */
function upper(a, b) {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const middle = ah * bl + ((al * bl) >>> 16);
  return (ah * bh + Math.floor(middle / 0x10000) + Math.floor((al * bh + (middle & 0xffff)) / 0x10000)) >>> 0;
}

/** 128 bits of a product of 64-bit numbers, the highest 32 first. @param {Uint32Array} out @param {number} ah @param {number} al @param {number} bh @param {number} bl */
function multiply(out, ah, al, bh, bl) {
  const lows = upper(al, bl) + (Math.imul(ah, bl) >>> 0) + (Math.imul(al, bh) >>> 0);
  const highs = upper(ah, bl) + upper(al, bh) + (Math.imul(ah, bh) >>> 0) + Math.floor(lows / 2 ** 32);
  out[0] = upper(ah, bh) + Math.floor(highs / 2 ** 32);
  out[1] = highs;
  out[2] = lows;
  out[3] = Math.imul(al, bl);
}

const [first, second] = [new Uint32Array(4), new Uint32Array(4)];

/** The key of every round, four words each, of a key of 64 bits, as halves. @param {number[]} key @param {number} stream */
export function keysOf([high, low], stream) {
  const start = [(BigInt(high) << 32n) | BigInt(low), BigInt(stream)];
  const words = Array.from({ length: ROUNDS }, (_, round) => start.map((half, n) => BigInt.asUintN(64, half + BigInt(round) * STEPS[n])));
  return Uint32Array.from(words.flat().flatMap((word) => [Number(word >> 32n), Number(word & 0xffffffffn)]));
}

class Philox {
  /** @param {Uint32Array} keys @param {number} row @param {number} column */
  constructor(keys, row, column) {
    this.keys = keys;
    this.place = [row, column];
    this.count = 0;
    this.drawn = new Uint32Array(8);
    this.left = 0;
  }

  /** 0 to 2^32 - 1. */
  next() {
    if (!this.left) this.#refill();
    return this.drawn[--this.left];
  }

  #refill() {
    this.count += 1;
    let [ah, al, bh, bl, ch, cl, dh, dl] = [0, this.count, 0, 0, 0, this.place[0], 0, this.place[1]];
    for (let round = 0; round < 4 * ROUNDS; round += 4) {
      multiply(first, ah, al, 0xd2e7470e, 0xe14c6c93);
      multiply(second, ch, cl, 0xca5a8263, 0x95121157);
      ah = second[0] ^ bh ^ this.keys[round];
      al = second[1] ^ bl ^ this.keys[round + 1];
      ch = first[0] ^ dh ^ this.keys[round + 2];
      cl = first[1] ^ dl ^ this.keys[round + 3];
      bh = second[2];
      bl = second[3];
      dh = first[2];
      dl = first[3];
    }
    this.drawn.set([dh, dl, ch, cl, bh, bl, ah, al]);  // the last is drawn first
    this.left = 8;
  }

  /** In [0, 1). */
  float() { return (this.next() >>> 8) / 0x1000000; }
}

/** Of the ziggurat: below which number a strip's draws need no look, how wide it is, and how high. */
const strips = (() => {
  const [sure, width, height] = [new Uint32Array(256), new Float32Array(256), new Float32Array(256)];
  const base = AREA / Math.exp(-0.5 * RIGHT * RIGHT);
  [sure[0], width[0], height[0]] = [(RIGHT / base) * FINE, base / FINE, 1];
  [width[255], height[255]] = [RIGHT / FINE, Math.exp(-0.5 * RIGHT * RIGHT)];
  for (let n = 254, x = RIGHT; n >= 1; n--) {
    const next = Math.sqrt(-2 * Math.log(AREA / x + Math.exp(-0.5 * x * x)));
    sure[n + 1] = (next / x) * FINE;
    [width[n], height[n]] = [next / FINE, Math.exp(-0.5 * next * next)];
    x = next;
  }
  return { sure, width, height };
})();

/** @param {Philox} philox */
function normal(philox) {
  for (;;) {
    const drawn = philox.next();
    const strip = drawn & 0xff;
    const far = (drawn >>> 9) & 0x7fffff;
    const x = Math.fround(far * strips.width[strip]) * (drawn & 0x100 ? -1 : 1);
    if (far < strips.sure[strip]) return x;
    if (strip === 0) {
      for (;;) {
        const beyond = -Math.log1p(-philox.float()) / RIGHT;
        const level = -Math.log1p(-philox.float());
        if (2 * level > beyond * beyond) return far & 0x100 ? -(RIGHT + beyond) : RIGHT + beyond;
      }
    }
    const [top, bottom] = [strips.height[strip - 1], strips.height[strip]];
    if ((top - bottom) * philox.float() + bottom < Math.exp(-0.5 * x * x)) return x;
  }
}

/** Standard normal values of a square of a picture. @param {Uint32Array} keys @param {number} row @param {number} column @param {number} count */
export function normals(keys, row, column, count) {
  const philox = new Philox(keys, row, column);
  const values = new Float32Array(count);
  for (let n = 0; n < count; n++) values[n] = normal(philox);
  return values;
}
