#!/usr/bin/env python3
"""Cuts the fonts embedded in the appliance out of Debian's `fonts-noto-cjk`.

A third, tiny font (`tests/fonts/rare.otf`) holds characters that the embedded ones lack, so that
the tests can prove the search for them.

Run by hand when the character set changes; the build never runs it:

    apt-get install fonts-noto-cjk && pip install fonttools
    python3 host/documents/fonts/subset.py

Sans (two weights), for all text:
  - GB 2312 level 1 and 2: 6763 hanzi;
  - the rest of the table of general standard Chinese characters (State Council, 2013: 8105
    hanzi, among them those of personal and place names), in `hanzi-standard.txt`;
  - ASCII, CJK punctuation, full-width forms, tick boxes and the signs that quantities need.
Serif (two weights), for titles and certificate wording only: the characters of `wording.txt`
(the wordings of the forms), ASCII and punctuation. Missing ones fall back to the sans.

The results are renamed ("Tianyin Sans", "Tianyin Serif"): Noto is a trademark, and a cut font
should not pass for the whole one. The licence (OFL-1.1) and the copyright notice stay.
"""

import pathlib

from fontTools import subset

HERE = pathlib.Path(__file__).parent
SOURCE = pathlib.Path("/usr/share/fonts/opentype/noto")
SIMPLIFIED = 2  # index of the simplified Chinese face in the collections

SIGNS = (
    "".join(map(chr, range(0x20, 0x7F)))
    + "".join(map(chr, range(0x3001, 0x3020)))
    + "".join(map(chr, range(0xFF01, 0xFF5F)))
    + "\u00a0\u3000·°±×÷µ—–‐…‘’“”‰′″№℃℉™©®²³½¼¾←↑→↓√∞≈≠≤≥□■☐☑☒✓✔✗○●◎△▲▽▼◇◆☆★※¥¥€㎡㎏㎎㎝㎜㎞㏄㎥〇"
    + "".join(map(chr, range(0x2160, 0x216C)))  # Roman numerals
    + "".join(map(chr, range(0x2460, 0x2474)))  # circled digits
)


def gb2312() -> str:
    """The 6763 hanzi of GB 2312 (rows 16 to 87)."""
    found = []
    for row in range(16, 88):
        for cell in range(1, 95):
            try:
                found.append(bytes([row + 0xA0, cell + 0xA0]).decode("gb2312"))
            except UnicodeDecodeError:
                pass  # the five empty cells at the end of level 1
    assert len(found) == 6763
    return "".join(found)


def hanzi_of(name: str) -> str:
    """All characters of a text file beside this script, without white space."""
    return "".join((HERE / name).read_text(encoding="utf-8").split())


def cut(source: str, family: str, style: str, chars: str, target: pathlib.Path | None = None) -> None:
    """Writes the subset of one face as `Family-Style.otf` or `target`."""
    options = subset.Options()
    options.font_number = SIMPLIFIED
    options.layout_features = []  # horizontal text without alternates
    options.hinting = False  # labels are rendered unhinted and thresholded
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.recalc_timestamp = False  # the same input gives the same bytes
    font = subset.load_font(str(SOURCE / source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=sorted({ord(c) for c in chars}))
    subsetter.subset(font)

    name = f"{family.replace(' ', '')}-{style}"
    # File names use the short family names; PostScript names must not hold blanks.
    for record in font["name"].names:
        text = {1: family, 2: style, 3: name, 4: f"{family} {style}", 6: name}.get(record.nameID)
        if text is not None:
            record.string = text
    cff = font["CFF "].cff
    cff.fontNames = [name]
    top = cff.topDictIndex[0]
    top.FullName, top.FamilyName = f"{family} {style}", family

    target = target or HERE / f"{name}.otf"
    subset.save_font(font, str(target), options)
    missing = sorted({c for c in chars if ord(c) not in font.getBestCmap()})
    print(f"{target.name}: {target.stat().st_size} bytes, not in the source: {''.join(missing) or 'none'}")


def main() -> None:
    every = SIGNS + gb2312() + hanzi_of("hanzi-standard.txt")
    wording = SIGNS + hanzi_of("wording.txt")
    cut("NotoSansCJK-Regular.ttc", "Tianyin Sans", "Regular", every)
    cut("NotoSansCJK-Bold.ttc", "Tianyin Sans", "Bold", every)
    cut("NotoSerifCJK-Regular.ttc", "Tianyin Serif", "Regular", wording)
    cut("NotoSerifCJK-Bold.ttc", "Tianyin Serif", "Bold", wording)
    rare = HERE.parent / "tests" / "fonts" / "rare.otf"
    cut("NotoSansCJK-Regular.ttc", "Tianyin Test SC", "Regular", "\U00030EDD\u9F98", rare)


if __name__ == "__main__":
    main()
