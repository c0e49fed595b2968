//! The parameters of one call after their names were taken apart (`contract/api-protocol.md 5.1`).

use std::borrow::Cow;

use super::error::ApiError;

/// One parameter: plain text, or the rows of `name[index].field=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg<'a> {
    /// An ordinary value.
    Text(&'a str),
    /// Rows by index, in ascending order of the index.
    Rows(Vec<Row>),
}

/// One row of a map parameter: `migrateto[0].volume=a&migrateto[0].pool=b` is one row with two fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The number between the brackets. It orders rows; gaps mean nothing.
    pub index: i64,
    /// Field names as the client spelled them, with their values, in the order they came.
    pub fields: Vec<(String, String)>,
}

impl Row {
    /// The value of a field, if the row has it. Field names are compared as spelled.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

/// All parameters of one call by lower-cased name. Texts stay where they are: most calls read theirs once.
///
/// A call has few parameters, so they are kept in a list and searched one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args<'a> {
    entries: Vec<(Cow<'a, str>, Arg<'a>)>,
}

impl<'a> Args<'a> {
    /// Takes names apart. `pairs` are decoded, each name at most once.
    ///
    /// # Errors
    /// 430 when a name has brackets that are not `name[integer].field`.
    pub fn unpack(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ApiError> {
        let pairs = pairs.into_iter();
        let mut args = Self { entries: Vec::with_capacity(pairs.size_hint().0) };
        for (name, value) in pairs {
            match split_name(name)? {
                Name::Plain(name) => args.set_text(name, value),
                Name::Field { name, index, field } => args.add_field(name, index, field, value),
            }
        }
        Ok(args)
    }

    /// The parameter of that (lower-case) name.
    pub fn get(&self, name: &str) -> Option<&Arg<'a>> {
        self.entries.iter().find(|(known, _)| known == name).map(|(_, arg)| arg)
    }

    /// The text of a plain parameter; `None` when it is absent or has rows.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Arg::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Every plain parameter and every field of a row as name and value, in a form that [`Args::unpack`] reads back.
    ///
    /// This is how a job remembers what it was asked to do.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::with_capacity(self.entries.len());
        for (name, arg) in &self.entries {
            match arg {
                Arg::Text(text) => pairs.push((name.to_string(), (*text).to_owned())),
                Arg::Rows(rows) => {
                    for row in rows {
                        for (field, value) in &row.fields {
                            pairs.push((format!("{name}[{}].{field}", row.index), value.clone()));
                        }
                    }
                }
            }
        }
        pairs
    }

    /// The same in a form that is equal for calls that mean the same: sorted by name, the rows of each parameter numbered from 0.
    pub fn canonical(&self) -> Vec<(String, String)> {
        let dense = self.entries.iter().map(|(name, arg)| match arg {
            Arg::Text(_) => (name.clone(), arg.clone()),
            Arg::Rows(rows) => {
                let renumbered = (0..).zip(rows).map(|(index, row)| Row { index, fields: row.fields.clone() });
                (name.clone(), Arg::Rows(renumbered.collect()))
            }
        });
        let mut pairs = Self { entries: dense.collect() }.pairs();
        pairs.sort_unstable();
        pairs
    }

    fn set_text(&mut self, name: Cow<'a, str>, value: &'a str) {
        let arg = Arg::Text(value);
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = arg,
            None => self.entries.push((name, arg)),
        }
    }

    fn add_field(&mut self, name: Cow<'a, str>, index: i64, field: &str, value: &str) {
        let at = match self.entries.iter().position(|(known, _)| *known == name) {
            Some(at) => at,
            None => {
                self.entries.push((name, Arg::Rows(Vec::new())));
                self.entries.len() - 1
            }
        };
        let arg = &mut self.entries[at].1;
        if !matches!(arg, Arg::Rows(_)) {
            *arg = Arg::Rows(Vec::new());
        }
        let Arg::Rows(rows) = arg else { return };
        let row = match rows.binary_search_by_key(&index, |row| row.index) {
            Ok(found) => found,
            Err(place) => {
                rows.insert(place, Row { index, fields: Vec::new() });
                place
            }
        };
        match rows[row].fields.iter_mut().find(|(known, _)| known == field) {
            Some((_, known)) => *known = value.to_owned(),
            None => rows[row].fields.push((field.to_owned(), value.to_owned())),
        }
    }
}

enum Name<'a> {
    Plain(Cow<'a, str>),
    Field { name: Cow<'a, str>, index: i64, field: &'a str },
}

/// The name in small letters, which it mostly has.
fn lower(name: &str) -> Cow<'_, str> {
    let is_lower = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}

fn split_name(name: &str) -> Result<Name<'_>, ApiError> {
    let malformed = || ApiError::malformed_parameter(name);
    let open = match name.find('[') {
        None => return Ok(Name::Plain(lower(name))),
        // Another one makes it malformed like any other name with two.
        Some(0) if !name[1..].contains('[') => return Ok(Name::Plain(lower(name))),
        Some(open) => open,
    };
    let (base, rest) = (&name[..open], &name[open + 1..]);
    let (index, after) = rest.split_once(']').ok_or_else(malformed)?;
    let field = after.strip_prefix('.').ok_or_else(malformed)?;
    if rest.contains('[') || after.contains(']') || base.contains(['.', ']']) {
        return Err(malformed());
    }
    let index = index.parse::<i32>().map_err(|_| malformed())?;
    Ok(Name::Field { name: lower(base), index: i64::from(index), field })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack<'a>(pairs: &[(&'a str, &'a str)]) -> Result<Args<'a>, ApiError> {
        Args::unpack(pairs.iter().copied())
    }

    #[test]
    fn names_are_lower_cased_and_rows_ordered_by_index() {
        let args = unpack(&[
            ("VolumeId", "v"),
            ("MigrateTo[10].volume", "b"),
            ("migrateto[2].volume", "a"),
            ("migrateto[2].Pool", "p"),
        ])
        .unwrap();
        assert_eq!(args.text("volumeid"), Some("v"));
        let Some(Arg::Rows(rows)) = args.get("migrateto") else { panic!("rows expected") };
        assert_eq!(rows.iter().map(|row| row.index).collect::<Vec<_>>(), [2, 10]);
        assert_eq!(rows[0].get("Pool"), Some("p"));
        assert_eq!(rows[0].get("pool"), None, "field names keep their case");
    }

    #[test]
    fn malformed_names_are_430() {
        for name in ["tags[0]", "a[x].b", "a[0]b", "a[0][1].b", "a[0].b]", "a[0", "a.b[0].c", "a[].b", "a[0]].b"] {
            let error = unpack(&[(name, "x")]).unwrap_err();
            assert_eq!(error.code.number(), 430, "{name}");
            assert!(error.text.starts_with(&format!("Unable to decode parameter {name};")), "{}", error.text);
        }
    }

    #[test]
    fn a_name_that_starts_with_a_bracket_is_ordinary() {
        assert_eq!(unpack(&[("[0].X", "1")]).unwrap().text("[0].x"), Some("1"));
    }

    #[test]
    fn pairs_are_read_back_the_same() {
        let args = unpack(&[("id", "1"), ("m[3].a", "x"), ("m[-1].a", "y"), ("m[3].b", "z")]).unwrap();
        let pairs = args.pairs();
        let again = Args::unpack(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))).unwrap();
        assert_eq!(args, again);
    }
}
