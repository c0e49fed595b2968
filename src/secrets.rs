//! `stackmotion secrets`: the keys that secrets in the database are sealed with, looked at, changed, and given up.

use crate::settings::{Effective, Settings, SettingsArgs, SettingsError, Sources};
use crate::store::{PlaceReport, Progress, Store, StoreError, Vault, VaultError, forget_lost, verify_keys};

/// What is to be done.
#[derive(Debug, clap::Subcommand)]
pub enum SecretsCommand {
    /// Says which secrets are sealed with which key, which are plain and which do not open. Changes nothing.
    Check(SettingsArgs),
    /// Makes a new key, seals everything with it, and removes the old key. Can be interrupted and run again; gateways may
    /// run meanwhile.
    Rotate(SettingsArgs),
    /// Empties the secrets that do not open because their key is lost. What they let in has to be given new ones.
    Forget {
        #[command(flatten)]
        settings: SettingsArgs,
        /// Really do it: without this, it is only said how many there are.
        #[arg(long)]
        yes: bool,
    },
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database or the key file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The settings name CloudStack's own database.
    #[error(
        "database.attach names a CloudStack database that is used in place; nothing in it is sealed with a key of stackmotion's. \
         Leave database.attach out, and name a database of stackmotion's own with data_dir or database.url"
    )]
    Attached,
    /// Some secrets cannot be read.
    #[error(
        "{0} secrets do not open: whoever needs them is refused. Where a key is missing, put its line back into the key \
         file; what was changed in the database has to be set again. `stackmotion secrets forget --yes` empties them"
    )]
    Lost(u64),
}

impl From<VaultError> for SecretsError {
    fn from(error: VaultError) -> Self {
        Self::Store(error.into())
    }
}

/// Does it, and prints what came of it.
///
/// # Errors
/// [`SecretsError`].
pub async fn run(command: SecretsCommand) -> Result<(), SecretsError> {
    let flags = match &command {
        SecretsCommand::Check(flags) | SecretsCommand::Rotate(flags) => flags,
        SecretsCommand::Forget { settings, .. } => settings,
    };
    let settings = Settings::from_effective(&Effective::load(&Sources::of_process(flags.clone()))?)?;
    if settings.attach.is_some() {
        return Err(SecretsError::Attached);
    }
    let store = Store::open(&settings.database_url).await?;
    let done = match command {
        SecretsCommand::Check(_) => check(&store, &settings).await,
        SecretsCommand::Rotate(_) => rotate(&store, &settings).await,
        SecretsCommand::Forget { yes, .. } => forget(&store, &settings, yes).await,
    };
    store.db().close().await;
    done
}

fn show(progress: &Progress) {
    println!("{}: {} done", progress.place, progress.changed);
}

async fn check(store: &Store, settings: &Settings) -> Result<(), SecretsError> {
    let path = &settings.secrets_key_file;
    if !path.exists() {
        // Either the file is missing, which is told, or nothing was ever sealed.
        verify_keys(store.db(), path).await?;
        println!(
            "There is no key file at {}, and nothing is sealed yet: `stackmotion serve` does both.",
            path.display()
        );
        return Ok(());
    }
    let vault = Vault::read(path)?;
    println!("Key file {}: {} (the first one is used for new secrets)", path.display(), vault.key_ids().join(", "));
    let reports = vault.check(store.db()).await?;
    for report in &reports {
        println!("{}", line(report));
        for row in &report.rows {
            println!("    does not open: {row}");
        }
    }
    match reports.iter().map(PlaceReport::lost).sum() {
        0 => Ok(()),
        lost => Err(SecretsError::Lost(lost)),
    }
}

/// What a place holds, in one line.
fn line(report: &PlaceReport) -> String {
    let mut parts: Vec<String> =
        report.sealed.iter().map(|(key, count)| format!("{count} sealed with {key}")).collect();
    if report.plain > 0 {
        parts.push(format!("{} plain", report.plain));
    }
    parts.extend(report.unknown.iter().map(|(key, count)| format!("{count} sealed with {key}, which is missing")));
    if report.broken > 0 {
        parts.push(format!("{} changed or copied from another row", report.broken));
    }
    let what = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    format!("{}: {what}", report.place)
}

async fn rotate(store: &Store, settings: &Settings) -> Result<(), SecretsError> {
    let vault = Vault::of_database(store.db(), &settings.secrets_key_file).await?;
    let rotated = vault.rotate(store.db(), show).await?;
    if rotated.resumed {
        println!("There was more than one key: a rotation that was interrupted is ended, and no further key was made.");
    }
    println!("{} secrets are sealed with the key {} now.", rotated.changed, rotated.key);
    if !rotated.removed.is_empty() {
        println!("Removed from {}: {}.", settings.secrets_key_file.display(), rotated.removed.join(", "));
    }
    println!("Make a copy of the key file. Copies of the database from before need the old one.");
    if rotated.kept.is_empty() {
        return Ok(());
    }
    println!("Still in the file, because secrets that do not open name them: {}.", rotated.kept.join(", "));
    check(store, settings).await
}

async fn forget(store: &Store, settings: &Settings, yes: bool) -> Result<(), SecretsError> {
    let path = &settings.secrets_key_file;
    let lost = if path.exists() {
        Vault::read(path)?.check(store.db()).await?.iter().map(PlaceReport::lost).sum::<u64>().to_string()
    } else {
        "all sealed".to_owned()
    };
    if !yes {
        println!("{lost} secrets do not open with the keys of {}. `--yes` empties them for good.", path.display());
        return Ok(());
    }
    let emptied = forget_lost(store.db(), path, show).await?;
    println!(
        "{emptied} secrets were emptied. API keys among them sign nothing any more: make new ones. Users among them cannot \
         show their second factor: switch it off or set it again."
    );
    Ok(())
}
