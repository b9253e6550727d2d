"""Workbooks of Excel, written by hand: the parts that a reader needs, and no others."""

import io
import zipfile


def workbook(*sheets):
    """A workbook with these rows of numbers and text; the parts that a reader needs, and no others."""
    content = io.BytesIO()
    kind = "http://schemas.openxmlformats.org"
    with zipfile.ZipFile(content, "w") as parts:
        parts.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{kind}/package/2006/content-types">'
            '<Default Extension="xml" ContentType="text/xml"/></Types>',
        )
        parts.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{kind}/package/2006/relationships"><Relationship Id="r0" Target="xl/workbook.xml" '
            f'Type="{kind}/officeDocument/2006/relationships/officeDocument"/></Relationships>',
        )
        names = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="r{n}"/>' for n in range(1, len(sheets) + 1))
        main, relations = f"{kind}/spreadsheetml/2006/main", f"{kind}/officeDocument/2006/relationships"
        parts.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{n}" Type="{relations}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        parts.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{kind}/package/2006/relationships">{links}</Relationships>',
        )
        for number, rows in enumerate(sheets, 1):
            cells = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            parts.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
            )
    return content.getvalue()


def cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return "<c/>" if value != value else f"<c><v>{value}</v></c>"
