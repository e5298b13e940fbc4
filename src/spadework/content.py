"""What the bytes of a file are: unwrapped from forms and data URLs, named when they are no picture."""

import base64
import binascii
import re

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

DATA_URL = re.compile(rb"\s*data:[^,]{0,200};base64,", re.IGNORECASE)
BARE_BASE64 = (b"iVBORw0KGgo", b"/9j/", b"R0lGOD", b"SUkqA", b"TU0AK", b"UklGR", b"Qk")
"""How PNG, JPEG, GIF, TIFF, WebP and BMP files begin in base64."""

BASE64 = re.compile(rb"[\w+/=\s-]{16,}")
QUOTES = b" \t\r\n\"'"

FORM_PART = re.compile(
    rb"(--[^\r\n]{1,200})\r?\n(?:[^\r\n]+\r?\n)*?content-disposition: *form-data", re.IGNORECASE
)
EMPTY_LINE = re.compile(rb"\r?\n\r?\n")

KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), what, remedy)
    for pattern, what, remedy in (
        (
            rb"\x89PNG\r?\n\x1a\r?\n|\xef\xbf\xbdPNG|\xc2\x89PNG",
            "a PNG that was copied as text",
            "copy it again in binary mode",
        ),
        (rb"(\xef\xbb\xbf|\s){1,8}\x89PNG", "a PNG behind other bytes", "save or copy it again"),
        (rb"HTTP/\d", "an answer of a server with its head", "download the file alone (curl without -i)"),
        (rb"b['\"]\\x", "the text of Python bytes", "write the bytes themselves into a file"),
        (
            rb"\0\x05\x16\x07",
            "what a Mac keeps beside a file",
            "give the file whose name has no ._ before it",
        ),
        (rb"\[InternetShortcut\]", "a link to a page", "download the file itself"),
        (rb"From: <Saved by|MIME-Version:", "a web page (MHTML)", "download the file itself"),
        (rb"MATLAB 5\.0|\x89HDF", "a MATLAB or HDF5 file", "save the array of ids as PNG, in 8 bits"),
        (rb"\0{512,}\Z", "a file of zeros alone, as a broken copy leaves it", "copy or download it again"),
        (
            rb"II[*+]\0|MM\0[*+]",
            "a TIFF of a kind that is not read (numbers of 64 bits, or several bands)",
            "save one band of it as PNG, in 8 bits",
        ),
        (rb"\xff\xfe<|\xfe\xff\0<", "a web page or XML text", "download the file itself"),
        (rb"version https://git-lfs\.", "a pointer of Git LFS", "fetch the file with `git lfs pull`"),
        (rb"\s*(<\?xml.{0,2000})?<svg", "an SVG drawing", "export it as PNG, without anti-aliasing"),
        (
            rb"\s*(<(\?xml|!--).{0,2000})?<(!doctype )?(html|head|body|title|meta)",
            "a web page (HTML)",
            "download the file itself",
        ),
        (rb"\s*<", "XML text", "give the picture that belongs to it"),
        (
            rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*\0?[\[{]",
            "JSON text",
            "draw its masks into a PNG of class ids",
        ),
        (rb"PK\x03\x04.{26}mimetypeimage/openraster", "an OpenRaster drawing", "export it as PNG"),
        (rb"PK\x03\x04.{26}mimetypeapplication/x-krita", "a Krita drawing", "export it as PNG"),
        (
            rb"PK\x03\x04.{26}[^/]{1,200}/(data\.pkl|\.format_version|\.data/)|\x80.\x8a\x0al\xfc\x9cF",
            "a file of weights (.pth)",
            "a model is given with --model, and weights of others are taken in by `spadework import`",
        ),
        (rb".{4}\0\0\0\0\{\"", "a model file (.safetensors)", "give a picture, and the model with --model"),
        (rb"PK\x03\x04", "a zip archive", "unpack it and give what is in it"),
        (
            rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|.{257}ustar",
            "an archive",
            "unpack it and give what is in it",
        ),
        (rb"8BPS", "a Photoshop file", "export it as PNG"),
        (rb"gimp xcf", "a GIMP drawing", "export it as PNG"),
        (rb"%PDF|%!PS", "a PDF or PostScript page", "export it as PNG"),
        (
            rb"\x93NUMPY",
            "a NumPy array",
            "save it with PIL.Image.fromarray(ids.astype('uint8')).save('ids.png')",
        ),
        (rb".{4}ftyp(hei|hev|mif|msf)", "a HEIC photo", "export it as JPEG"),
        (rb".{4}ftyp(?!avi[fs])|RIFF.{4}AVI |\x1aE\xdf\xa3", "a video", "save one frame of it as PNG"),
        (rb"data:", "a data: URL that is not whole", "send the file itself"),
        (rb"--.{0,200}content-disposition: *form-data", "a form without a file", "send the file itself"),
    )
)


def kind_of(data: bytes) -> tuple[str, str] | None:
    """What a file is that is no picture, and what to do with it; None where its bytes do not tell."""
    start = data[:4096]
    return next(((what, remedy) for pattern, what, remedy in KINDS if pattern.match(start)), None)


def unwrapped(data: bytes) -> bytes:
    """The first file in an uploaded form, or behind a base64 data: URL; else the bytes."""
    start = data[:4096]
    bare = start.lstrip(QUOTES)
    if found := DATA_URL.match(bare):
        return _decoded(data.strip(QUOTES)[found.end() :]) or data
    if bare.startswith(BARE_BASE64) and BASE64.fullmatch(bare.rstrip(QUOTES)):
        return _decoded(data.strip(QUOTES)) or data
    if found := FORM_PART.match(start):
        return _file_in(data, found[1]) or data
    return data


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.replace(b"%2B", b"+").replace(b"%2F", b"/").replace(b"%3D", b"="))
    except binascii.Error:
        return b""


def _file_in(form: bytes, boundary: bytes) -> bytes:
    """The content of the form's first file, or b"" without one."""
    for part in form.split(boundary)[1:]:
        head, *rest = EMPTY_LINE.split(part, maxsplit=1)
        if rest and re.search(rb"filename\*?=", head, re.IGNORECASE):
            return rest[0].removesuffix(b"\n").removesuffix(b"\r")
    return b""
