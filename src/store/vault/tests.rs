//! The vault and its key file, without a database.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn vault() -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::create(&folder.path().join("secrets.key")).unwrap();
    (folder, vault)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[test]
fn what_is_sealed_opens_in_its_own_row_only() {
    let (_folder, vault) = vault();
    let sealed = vault.seal(&API_SECRET, "row-1", &secret("hunter2")).unwrap();
    assert!(is_sealed(sealed.text()) && !sealed.text().contains("hunter2"));
    assert_eq!(format!("{sealed:?}"), "Sealed");
    assert_eq!(vault.open(&API_SECRET, "row-1", sealed.text()).unwrap().expose(), "hunter2");
    for (place, row) in [(&API_SECRET, "row-2"), (&SECOND_FACTOR, "row-1"), (&API_SECRET, "")] {
        let refused = vault.open(place, row, sealed.text()).unwrap_err();
        assert!(matches!(refused, VaultError::NotOpened { .. }), "{refused}");
        assert!(!refused.to_string().contains(sealed.text()));
    }
    assert_ne!(
        sealed.text(),
        vault.seal(&API_SECRET, "row-1", &secret("hunter2")).unwrap().text(),
        "never twice alike"
    );
}

#[test]
fn a_changed_value_does_not_open() {
    let (_folder, vault) = vault();
    let sealed = vault.seal(&API_SECRET, "r", &secret("hunter2")).unwrap();
    let start = FORM.len() + KEY_ID_LENGTH + 1;
    for at in start..sealed.text().len() {
        let letter = if &sealed.text()[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{letter}{}", &sealed.text()[..at], &sealed.text()[at + 1..]);
        assert!(vault.open(&API_SECRET, "r", &changed).is_err(), "{at}");
    }
}

#[test]
fn what_is_plain_is_read_as_it_is() {
    let (_folder, vault) = vault();
    for plain in
        ["", "hunter2", "sm1:", "sm1:00000000:", "sm1:0000000g:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "SM1:x:y"]
    {
        assert!(!is_sealed(plain), "{plain}");
        assert_eq!(vault.open(&API_SECRET, "r", plain).unwrap().expose(), plain);
    }
}

#[test]
fn a_key_file_is_its_owners_and_is_not_replaced() {
    let (folder, vault) = vault();
    let path = folder.path().join("secrets.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(Vault::create(&path).unwrap().key_ids(), vault.key_ids(), "a second one reads the first");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no drafts are left");
}

#[test]
fn a_damaged_key_file_is_told_by_its_line() {
    let (folder, _) = vault();
    let path = folder.path().join("secrets.key");
    let good = std::fs::read_to_string(&path).unwrap();
    let key = good.lines().find(|line| !line.starts_with('#')).unwrap();
    let letter = if &key[12..13] == "A" { "B" } else { "A" };
    for (text, line) in [
        (good.replace(key, "what is this"), 4),
        (good.replace(key, "0a1b2c3d"), 4),
        (good.replace(key, &format!("{}{letter}{}", &key[..12], &key[13..])), 4),
        ("# nothing\n".to_owned(), 0),
    ] {
        std::fs::write(&path, &text).unwrap();
        match Vault::read(&path).unwrap_err() {
            VaultError::Malformed { line: found, .. } => assert_eq!(found, line, "{text}"),
            other => panic!("{other}"),
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it is left as it is");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Vault::read(&path), Err(VaultError::Unreadable { .. })));
}

#[test]
fn a_gateway_follows_its_key_file() {
    let (folder, gateway) = vault();
    let path = folder.path().join("secrets.key");
    let old = gateway.seal(&API_SECRET, "r", &secret("old")).unwrap();
    // Another process puts a new key before the old one.
    let ring = KeyRing::read(&path).unwrap().unwrap();
    let new = Key::random();
    keys::replace(&path, &[vec![new.clone()], ring.keys.clone()].concat()).unwrap();
    let elsewhere = Vault::read(&path).unwrap().seal(&API_SECRET, "r", &secret("new")).unwrap();
    assert!(elsewhere.text().contains(&new.id));
    assert_eq!(gateway.open(&API_SECRET, "r", elsewhere.text()).unwrap().expose(), "new");
    assert_eq!(gateway.open(&API_SECRET, "r", old.text()).unwrap().expose(), "old");
    assert!(gateway.seal(&API_SECRET, "r", &secret("x")).unwrap().text().contains(&new.id));
    // The old key is taken out, and at last the file.
    keys::replace(&path, &[new]).unwrap();
    gateway.seal(&API_SECRET, "r", &secret("x")).unwrap();
    assert!(matches!(gateway.open(&API_SECRET, "r", old.text()), Err(VaultError::Unknown { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(gateway.seal(&API_SECRET, "r", &secret("x")).is_err(), "nothing is sealed with a key that is gone");
    assert_eq!(
        gateway.open(&API_SECRET, "r", elsewhere.text()).unwrap().expose(),
        "new",
        "but what is open stays open"
    );
}

#[test]
fn keys_are_changed_by_one_at_a_time() {
    let (folder, vault) = vault();
    let held = keys::lock(vault.path()).unwrap();
    assert!(matches!(keys::lock(vault.path()), Err(VaultError::Busy { .. })));
    drop(held);
    keys::lock(&folder.path().join("secrets.key")).unwrap();
}
