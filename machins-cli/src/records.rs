//! Lists for programs: comma-separated values, tab-separated values, ids.

use serde::Serialize;
use serde_json::Value;

use crate::error::Failure;
use crate::flags::Format;
use crate::format::scalar;
use crate::text::is_printable;

/// An item of a list, and its fields that are columns for programs.
pub(crate) trait Record: Serialize {
    /// The names of the fields in its JSON form. The first is the one that identifies the item; its
    /// column is always called `id`.
    const COLUMNS: &'static [&'static str];
}

/// What rows begin with: the names of the columns, of which the first identifies an item. Nothing in
/// other forms than csv and tsv.
pub(crate) fn heading(format: Format, columns: &[&str]) -> Result<String, Failure> {
    if !matches!(format, Format::Csv | Format::Tsv) {
        return Ok(String::new());
    }
    let names = std::iter::once("id").chain(columns.iter().copied().skip(1));
    lines(format, &[names.map(Into::into).collect()])
}

/// Formats items for programs, a line each. `columns` are fields, of which the first identifies an item.
pub(crate) fn rows<T: Serialize>(
    format: Format,
    columns: &[&str],
    items: &[T],
) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for item in items {
        // By its text, as in JSON: the code that makes a value of each type would be large.
        let item =
            serde_json::to_string(item).and_then(|json| serde_json::from_str::<Value>(&json));
        let item = item.map_err(unwritten)?;
        rows.push(columns.iter().map(|name| text(item.get(name))).collect::<Vec<_>>());
    }
    if format == Format::Id {
        let ids = rows.iter().filter_map(|row| row.first());
        return Ok(ids.flat_map(|id| [id, "\n"]).collect());
    }
    lines(format, &rows)
}

fn lines(format: Format, rows: &[Vec<String>]) -> Result<String, Failure> {
    let mut builder = csv::WriterBuilder::new();
    if format == Format::Tsv {
        // Neither tabs nor line breaks are left in a field, so none has to be quoted.
        builder.delimiter(b'\t').quote_style(csv::QuoteStyle::Never);
    }
    let mut writer = builder.from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(unwritten)?;
    }
    let bytes = writer.into_inner().map_err(unwritten)?;
    String::from_utf8(bytes).map_err(unwritten)
}

fn unwritten(error: impl std::fmt::Display) -> Failure {
    Failure::local("could not write the list", error)
}

/// The text of a field: as in JSON, but strings without their quotation marks, and nothing for null.
fn text(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(value) => scalar(value).unwrap_or_else(|| value.to_string()),
    };
    // Nothing is cut off, and everything stays on its line.
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| is_printable(*c))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[&str] = &["deviceId", "price", "tags"];

    fn rendered(format: Format) -> String {
        let items = [
            json!({"deviceId": "a", "price": "1.50", "tags": ["x", "y"]}),
            json!({"deviceId": "b\t\u{1b}[2J", "price": null}),
        ];
        heading(format, COLUMNS).unwrap() + &rows(format, COLUMNS, &items).unwrap()
    }

    #[test]
    fn csv_begins_with_a_heading_whose_first_column_is_id() {
        assert_eq!(
            rendered(Format::Csv),
            "id,price,tags\na,1.50,\"[\"\"x\"\",\"\"y\"\"]\"\nb [2J,,\n"
        );
        assert_eq!(heading(Format::Csv, COLUMNS).unwrap(), "id,price,tags\n");
    }

    #[test]
    fn tsv_has_one_line_for_each_item() {
        assert_eq!(rendered(Format::Tsv), "id\tprice\ttags\na\t1.50\t[\"x\",\"y\"]\nb [2J\t\t\n");
    }

    #[test]
    fn ids_are_one_a_line() {
        assert_eq!(rendered(Format::Id), "a\nb [2J\n");
    }
}
