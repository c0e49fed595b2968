//! Lines of comma-separated values (RFC 4180), safe to be opened by a spreadsheet.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula and runs it, whoever wrote the text. Such
//! a text, and one that begins with a tab or a line end, gets an apostrophe before it, which spreadsheets show as plain
//! text. A text that has apostrophes there already gets one more, so that who wants the text itself always drops one.

/// The content type on the wire.
pub const MEDIA: &str = "text/csv; charset=utf-8";

/// One value of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Empty,
    /// A number; it is written as it is, so a negative one stays a number.
    Number(i64),
    /// Text of any kind.
    Text(String),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// Appends a line and its end, `\r\n`.
pub fn write_line(cells: &[Cell], out: &mut Vec<u8>) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match cell {
            Cell::Empty => {}
            Cell::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Cell::Text(text) => write_text(text, out),
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let begins = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let sign = if begins { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        out.extend_from_slice(format!("\"{sign}{}\"", text.replace('"', "\"\"")).as_bytes());
    } else {
        out.extend_from_slice(sign.as_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(cells: &[Cell]) -> String {
        let mut out = Vec::new();
        write_line(cells, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The lines of a document, read as RFC 4180 says.
    fn read(document: &str) -> Vec<Vec<String>> {
        let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
        let mut letters = document.chars().peekable();
        let mut is_quoted = false;
        while let Some(letter) = letters.next() {
            match (letter, is_quoted) {
                ('"', true) if letters.next_if_eq(&'"').is_some() => cell.push('"'),
                ('"', _) => is_quoted = !is_quoted,
                (',', false) => line.push(std::mem::take(&mut cell)),
                ('\r', false) if letters.next_if_eq(&'\n').is_some() => {
                    line.push(std::mem::take(&mut cell));
                    lines.push(std::mem::take(&mut line));
                }
                (other, _) => cell.push(other),
            }
        }
        assert!(!is_quoted && line.is_empty() && cell.is_empty(), "{document:?}");
        lines
    }

    #[test]
    fn cells_as_they_are_written() {
        let line = [
            Cell::Empty,
            (-5).into(),
            "a b".into(),
            "a,\"b\"\r\nc".into(),
            "=1+1".into(),
            "-2".into(),
            "'@".into(),
            "'x".into(),
        ];
        assert_eq!(written(&line), ",-5,a b,\"a,\"\"b\"\"\r\nc\",'=1+1,'-2,''@,'x\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_is_no_formula(
            rows in proptest::collection::vec(proptest::collection::vec("[-=+@',\"\r\n\t a-cö]{0,8}", 1..5), 1..4)
        ) {
            let cells = |row: &Vec<String>| row.iter().map(|text| text.as_str().into()).collect::<Vec<Cell>>();
            let document: String = rows.iter().map(|row| written(&cells(row))).collect();
            let found = read(&document);
            prop_assert_eq!(found.len(), rows.len());
            for (row, found) in rows.iter().zip(&found) {
                prop_assert_eq!(row.len(), found.len());
                for (text, found) in row.iter().zip(found) {
                    let is_formula = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
                    prop_assert!(!is_formula(found));
                    let has_sign = is_formula(found.trim_start_matches('\''));
                    let plain = if has_sign { &found[1..] } else { found.as_str() };
                    prop_assert!(plain == text, "{:?} {:?}", text, found);
                }
            }
        }
    }
}
