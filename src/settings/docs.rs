//! The page of the documentation that lists all settings, made from the table.

use super::table::{Kind, SETTINGS};

/// The page, Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         This page is made from the table of settings in the program; `stackmotion config --markdown` prints it.\n\n\
         Values come from four places; the later one wins:\n\n\
         1. the default,\n\
         2. the file given with `--config FILE` or `STACKMOTION_CONFIG` (TOML; a dot in a name is a table),\n\
         3. the environment,\n\
         4. flags: `--set name=value`, and for the common ones `--listen`, `--port`, `--data-dir`, `--database-url`, \
         `--attach`, `--ui`, `--log-level`, `--log-format`.\n\n\
         A name that is not listed here is refused. `stackmotion config` prints every value in effect and where it came \
         from; passwords are hidden.\n\n\
         | Setting | Environment | Values | Default | What it does |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for setting in SETTINGS {
        let values = match setting.kind {
            Kind::Text => "text".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Number { min, max } => format!("{min} to {max}"),
            Kind::Switch => "true, false".to_owned(),
            Kind::Choice(words) => words.join(", "),
            Kind::Map => "name=value, ...".to_owned(),
        };
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        text.push_str(&format!(
            "| `{}` | `{}` | {values} | {default} | {} |\n",
            setting.key,
            setting.env_name(),
            setting.description
        ));
    }
    text
}
