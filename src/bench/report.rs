//! What was measured: for people, for programs, and as a page with a drawing.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Target {
    /// The number.
    #[must_use]
    pub const fn value(self) -> f64 {
        match self {
            Self::AtLeast(value) | Self::AtMost(value) => value,
        }
    }

    /// Whether a ratio is as it should be.
    #[must_use]
    pub fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(value) => ratio >= value,
            Self::AtMost(value) => ratio <= value,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "≥",
            Self::AtMost(_) => "≤",
        }
    }
}

/// One line of the table: a ratio of two measurements of the same run.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Name for programs.
    pub name: String,
    /// What was divided by what, for people.
    pub what: String,
    /// The ratio of each round.
    pub rounds: Vec<f64>,
    /// What it should be.
    pub target: Target,
    /// The measurements themselves, for people.
    pub figures: String,
    /// The share of the processors' time that the machine's host gave to others meanwhile, from 0 to 1.
    pub taken: f64,
}

impl Finding {
    /// A finding without rounds.
    #[must_use]
    pub fn new(name: impl Into<String>, what: impl Into<String>, target: Target) -> Self {
        Self { name: name.into(), what: what.into(), rounds: Vec::new(), target, figures: String::new(), taken: 0.0 }
    }

    /// The middle of the rounds.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The difference of the highest and the lowest round, as a share of the ratio.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let (low, high) = self.range();
        (high - low) / self.ratio()
    }

    fn range(&self) -> (f64, f64) {
        self.rounds
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)))
    }

    /// Whether it is as it should be.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.target.is_met(self.ratio())
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let verdict = if self.is_met() { "ok  " } else { "MISS" };
        let (low, high) = self.range();
        let sign = self.target.sign();
        format!(
            "{verdict} {:>7.3} ({sign} {:<5})  {low:.3}..{high:.3}  {}\n                        {}",
            self.ratio(),
            self.target.value(),
            self.what,
            self.figures
        )
    }
}

/// The findings for programs.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    let rounded = |number: f64| (number * 10_000.0).round() / 10_000.0;
    let ratios: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "name": finding.name,
                "ratio": rounded(finding.ratio()),
                "target": finding.target.value(),
                "spread": rounded(finding.spread()),
                "atmost": matches!(finding.target, Target::AtMost(_)),
                "met": finding.is_met(),
                "figures": finding.figures,
                "taken": rounded(finding.taken),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "ratios": ratios }))
}

/// The table of the page in the documentation.
#[must_use]
pub fn table(findings: &[Finding]) -> String {
    let mut text =
        "| what is divided by what | ratio | target | spread | taken | figures |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
    for finding in findings {
        let (sign, target) = (finding.target.sign(), finding.target.value());
        let bold = if finding.is_met() { "" } else { "**" };
        let _ = writeln!(
            text,
            "| {} | {bold}{:.3}{bold} | {sign} {target} | {:.0} % | {:.1} % | {} |",
            finding.what,
            finding.ratio(),
            finding.spread() * 100.0,
            finding.taken * 100.0,
            finding.figures
        );
    }
    text
}

const ROW: usize = 26;
const LABEL: f64 = 330.0;
const WIDTH: f64 = 760.0;
/// How far right a target stands: what lies beyond is better than asked for, or worse than allowed.
const TARGET_AT: f64 = 200.0;

/// A drawing: a bar for each ratio as a share of its target, the line at the target.
#[must_use]
pub fn drawing(findings: &[Finding]) -> String {
    let height = (findings.len() + 2) * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (at, finding) in findings.iter().enumerate() {
        let y = (at + 1) * ROW;
        // A lower one is better where there is a most: what is drawn is how good it is, not how large.
        let goodness = match finding.target {
            Target::AtLeast(target) => finding.ratio() / target,
            Target::AtMost(target) => target / finding.ratio(),
        };
        let length = (goodness * TARGET_AT).clamp(1.0, WIDTH - LABEL - 60.0);
        let colour = if finding.is_met() { "#2b7a4b" } else { "#b5482a" };
        let middle = y + ROW / 2 + 1;
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABEL}\" y=\"{}\" width=\"{length:.0}\" height=\"{}\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"{middle}\">{:.2}</text>",
            LABEL - 8.0,
            escaped(&finding.name),
            y + 3,
            ROW - 10,
            LABEL + length + 6.0,
            finding.ratio()
        );
    }
    let line = LABEL + TARGET_AT;
    let _ = writeln!(
        text,
        "<line x1=\"{line}\" y1=\"{ROW}\" x2=\"{line}\" y2=\"{}\" stroke=\"#222\" stroke-dasharray=\"4 3\"/>\
         <text x=\"{line}\" y=\"{}\" text-anchor=\"middle\">target</text>\n</svg>",
        height - ROW,
        ROW - 8
    );
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rounds: &[f64], target: Target) -> Finding {
        Finding {
            rounds: rounds.to_vec(),
            figures: "1 / 2".to_owned(),
            taken: 0.125,
            ..Finding::new("a-name", "a / b", target)
        }
    }

    #[test]
    fn the_middle_round_counts() {
        let found = finding(&[0.9, 0.5, 0.8], Target::AtLeast(0.85));
        assert!((found.ratio() - 0.8).abs() < 1e-9 && (found.spread() - 0.5).abs() < 1e-9);
        assert!(!found.is_met() && finding(&[0.8], Target::AtMost(1.3)).is_met());
        assert!(found.line().starts_with("MISS   0.800 (≥ 0.85 )  0.500..0.900  a / b"), "{}", found.line());
    }

    #[test]
    fn programs_are_told_each_ratio() {
        let told: Value = serde_json::from_str(&json(&[finding(&[0.5, 1.0, 1.0], Target::AtMost(1.3))])).unwrap();
        let expected = json!({
            "name": "a-name", "ratio": 1.0, "target": 1.3, "spread": 0.5, "atmost": true, "met": true, "figures": "1 / 2",
            "taken": 0.125
        });
        assert_eq!(told["ratios"], json!([expected]));
    }

    #[test]
    fn the_page_shows_what_was_missed() {
        let found = [finding(&[0.5], Target::AtLeast(0.85)), finding(&[1.0], Target::AtMost(1.3))];
        let rows = table(&found);
        assert!(rows.ends_with(
            "| a / b | **0.500** | ≥ 0.85 | 0 % | 12.5 % | 1 / 2 |\n| a / b | 1.000 | ≤ 1.3 | 0 % | 12.5 % | 1 / 2 |\n"
        ));
        assert_eq!(drawing(&found).matches("<rect x=").count(), 2);
    }
}
