//! `stackmotion import`: takes over what a CloudStack database knows, once or again and again
//! (`contract/entities.md 3.29`). The source is read from one snapshot and never written.

use std::fmt::Write as _;

use crate::settings::{Effective, Settings, SettingsArgs, SettingsError, Sources};
use crate::store::{Hands, Source, SourceError, Store, StoreError, TAKEN, TakeError, Taken, Vault};

/// After so many rows of a table the progress is told.
const TOLD_EVERY: u64 = 10_000;
/// So many rows that stay as they are here are named.
const NAMED: usize = 20;

/// Where from, and the settings of the target.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The source: mysql://user:password@host:3306/cloud.
    #[arg(value_name = "URL", env = "STACKMOTION_IMPORT_URL", hide_env_values = true)]
    pub source: String,
    /// The settings; they say where the target is.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Why nothing was imported, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The data folder cannot be made.
    #[error("the data folder cannot be used; check that it may be written to")]
    Folder(#[source] std::io::Error),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target cannot be written. What was imported until then stays; run the import again.
    #[error(transparent)]
    Target(#[from] StoreError),
    /// The target is CloudStack's own.
    #[error(
        "database.attach names a CloudStack database that is used in place; there is nothing to import into it, for it has \
         everything already. Leave database.attach out, and name a database of stackmotion's own with data_dir or \
         database.url. Nothing was imported"
    )]
    Attached,
    /// The target is somebody's.
    #[error(
        "the target has an installation of its own, whose ids would collide with those of the source; give an empty one: \
         another data_dir or database.url. Nothing was imported"
    )]
    Occupied,
}

impl From<TakeError> for ImportError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Source(error) => Self::Source(error),
            TakeError::Target(error) => Self::Target(error),
        }
    }
}

/// What was imported: each table with what became of its rows.
#[derive(Debug, Default)]
pub struct Report {
    /// Jobs that were not ended at the source.
    pub jobs: i64,
    /// Tables and what became of their rows.
    pub tables: Vec<(&'static str, Taken)>,
}

impl Report {
    /// What became of the rows of a table.
    #[must_use]
    pub fn of(&self, table: &str) -> Option<&Taken> {
        self.tables.iter().find(|(name, _)| *name == table).map(|(_, taken)| taken)
    }

    /// The report as it is printed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (table, taken) in &self.tables {
            let Taken { added, updated, same, gone, .. } = taken;
            let _ = writeln!(text, "{table}: {added} new, {updated} changed, {same} unchanged, {gone} gone");
            for (why, count) in &taken.left {
                let _ = writeln!(text, "    left out, {count} times: {why}");
            }
            for (id, why) in taken.kept.iter().take(NAMED) {
                let _ = writeln!(text, "    kept as it is here, id {id}: {why}");
            }
            if taken.kept.len() > NAMED {
                let _ = writeln!(text, "    and {} more are kept as they are here", taken.kept.len() - NAMED);
            }
        }
        if self.jobs > 0 {
            let _ =
                writeln!(text, "{} jobs were not ended at the source: run the import again when they are", self.jobs);
        }
        text.push_str("Not taken: settings, events, alerts, jobs, usage\n");
        text
    }
}

/// Imports into a target. `told` hears of every page: the table, and how many of its rows there were so far.
///
/// # Errors
/// [`ImportError`]; a page that was taken stays taken, and running it again goes on.
pub async fn import(
    source_url: &str,
    target: &Store,
    hands: Hands<'_>,
    mut told: impl FnMut(&'static str, u64),
) -> Result<Report, ImportError> {
    let mut source = Source::open(source_url).await?;
    let run = target.next_import().await?.ok_or(ImportError::Occupied)?;
    let mut report = Report { jobs: source.open_jobs().await?, tables: Vec::new() };
    for table in &TAKEN {
        let told = |rows: u64| told(table.name, rows);
        report.tables.push((table.name, table.take(&mut source, target, hands, run, told).await?));
    }
    source.close().await;
    // What points to something goes before it.
    for (table, (_, taken)) in TAKEN.iter().zip(&mut report.tables).rev() {
        table.remove_gone(target, run, taken).await?;
    }
    Ok(report)
}

/// The command: imports into the database that the settings name, and prints the report.
///
/// # Errors
/// [`ImportError`].
pub async fn run(args: ImportArgs) -> Result<(), ImportError> {
    let settings = Settings::from_effective(&Effective::load(&Sources::of_process(args.settings))?)?;
    if settings.attach.is_some() {
        return Err(ImportError::Attached);
    }
    let cipher = settings.cloud_key.cipher()?;
    std::fs::create_dir_all(&settings.data_dir).map_err(ImportError::Folder)?;
    let target = Store::open(&settings.database_url).await?;
    let vault = Vault::of_database(target.db(), &settings.secrets_key_file).await?;
    let hands = Hands { vault: &vault, cipher: cipher.as_ref() };
    let mut said = ("", 0);
    let told = |table: &'static str, rows: u64| {
        let before = if said.0 == table { said.1 } else { 0 };
        if rows >= before + TOLD_EVERY {
            eprintln!("{table}: {rows} rows so far");
            said = (table, rows);
        }
    };
    let report = import(&args.source, &target, hands, told).await;
    target.db().close().await;
    print!("{}", report?.text());
    Ok(())
}
