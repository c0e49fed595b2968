//! A survey as one screen of text.

use std::fmt;

use super::survey::Survey;

/// Where the text after the heading of a line begins.
const MARGIN: usize = 12;
/// The widest line.
const WIDTH: usize = 120;

impl fmt::Display for Survey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = if self.server.is_empty() { String::new() } else { format!(" (server {})", self.server) };
        entry(out, "database", &format!("{}{server}", self.place))?;
        if let Some(version) = &self.version {
            entry(out, "CloudStack", version)?;
        }
        if !self.found.is_empty() {
            let found: Vec<String> = self.found.iter().map(|found| format!("{} {}", found.count, found.what)).collect();
            entry(out, "found", &found.join(", "))?;
        }
        if self.tables > 0 {
            entry(out, "uses", &format!("{} of CloudStack's tables; none of them is altered", self.tables))?;
            match self.creates.is_empty() {
                true => entry(out, "creates", "nothing: stackmotion's tables are there")?,
                false => entry(out, "creates", &format!("{}, motion_schema_migrations", self.creates.join(", ")))?,
            }
        }
        for (since, names) in &self.absent {
            entry(out, "older", &format!("came with {since}, and is read as empty here: {}", names.join(", ")))?;
        }
        for note in &self.notes {
            entry(out, "note", note)?;
        }
        for obstacle in &self.obstacles {
            entry(out, "stops", &obstacle.what)?;
            entry(out, "  do", &obstacle.remedy)?;
        }
        let result = match self.obstacles.len() {
            0 => "can be attached".to_owned(),
            1 => "cannot be attached: see what stops".to_owned(),
            several => format!("cannot be attached: {several} things stop"),
        };
        entry(out, "result", &result)
    }
}

/// Writes a heading and a text beside it, broken between words.
fn entry(out: &mut fmt::Formatter<'_>, heading: &str, text: &str) -> fmt::Result {
    let mut line = format!("{heading:MARGIN$}");
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = " ".repeat(MARGIN);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::super::survey::{Finding, Obstacle};
    use super::*;

    #[test]
    fn a_screen() {
        let survey = Survey {
            place: "mysql://cloud@db/cloud".into(),
            server: "10.11".into(),
            version: Some("4.22.0.0".into()),
            found: vec![Finding { count: 2, what: "zones" }, Finding { count: 0, what: "hosts" }],
            tables: 50,
            absent: [("4.23", vec!["api_keypair".to_owned(), "nics.enabled".to_owned()])].into(),
            creates: vec!["motion_disk".into()],
            encrypted: 0,
            notes: vec!["word ".repeat(40).trim().to_owned()],
            obstacles: vec![Obstacle { what: "a table is gone".into(), remedy: "bring it back".into() }],
        };
        let expected = "\
database    mysql://cloud@db/cloud (server 10.11)
CloudStack  4.22.0.0
found       2 zones, 0 hosts
uses        50 of CloudStack's tables; none of them is altered
creates     motion_disk, motion_schema_migrations
older       came with 4.23, and is read as empty here: api_keypair, nics.enabled
note        word word word word word word word word word word word word word word word word word word word word word
            word word word word word word word word word word word word word word word word word word word
stops       a table is gone
  do        bring it back
result      cannot be attached: see what stops
";
        assert_eq!(survey.to_string(), expected);
        assert!(Survey::default().to_string().contains("can be attached"));
    }
}
