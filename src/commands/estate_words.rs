//! What the commands about zones, pods, clusters, hosts, pools and offerings have in common: states by their words, lists of
//! words, addresses, and whom an offering is for (`contract/entities.md 2.1 to 2.6`).

use super::Ctx;
use super::filters::Domain;
use crate::api::{ApiError, Id, Rows};
use crate::model::entity::{DomainRef, ZoneRef};
use crate::store::{Restrictions, Zone};

/// `Enabled` or `Disabled` from a word in any letter case; `default` without one.
///
/// # Errors
/// 431 for another word.
pub(super) fn allocation_state(word: Option<&str>, default: &'static str) -> Result<&'static str, ApiError> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(default) };
    ["Enabled", "Disabled"].into_iter().find(|known| known.eq_ignore_ascii_case(word)).ok_or_else(|| {
        ApiError::invalid_parameter(format!("Unable to resolve Allocation State '{word}' to a supported state"))
    })
}

/// A text that says something: neither absent nor blank.
pub(super) fn said(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Words, as a column of words separated by commas.
///
/// # Errors
/// 431 when they do not fit the column.
pub(super) fn joined(words: Option<&Vec<String>>, parameter: &str) -> Result<Option<String>, ApiError> {
    /// What the columns hold.
    const LONGEST: usize = 255;
    let text = words.map(|words| trimmed(words).join(",")).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > LONGEST => Err(ApiError::invalid_parameter(format!(
            "{parameter} has more than {LONGEST} characters; name fewer or shorter ones"
        ))),
        text => Ok(text),
    }
}

/// Words without blanks around them, and without empty ones.
pub(super) fn trimmed(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// All names and values of a map, whichever rows they stand in: `details[0].user` and `details[1].password` are one map.
///
/// # Errors
/// 431 for names or values that do not fit their columns.
pub(super) fn pairs(rows: Option<&Rows>) -> Result<Vec<(String, String)>, ApiError> {
    /// What the columns hold.
    const LONGEST: usize = 255;
    let all: Vec<_> = rows.into_iter().flat_map(|rows| &rows.0).flat_map(|row| row.fields.iter().cloned()).collect();
    if all.iter().any(|(name, value)| name.chars().count().max(value.chars().count()) > LONGEST) {
        return Err(ApiError::invalid_parameter(format!(
            "A name or value in details has more than {LONGEST} characters"
        )));
    }
    Ok(all)
}

/// A living zone.
///
/// # Errors
/// 431 with `text` when there is none; 531 when it is switched off and the caller is no root admin.
pub(super) async fn zone(ctx: &Ctx, id: i64, text: &str) -> Result<Zone, ApiError> {
    let zone = ctx.store.zone_by_id(id).await?.ok_or_else(|| ApiError::invalid_parameter(text))?;
    if zone.enabled || ctx.caller.is_root_admin() {
        return Ok(zone);
    }
    Err(ApiError::permission_denied(format!(
        "Cannot perform this operation, Zone is currently disabled: {}",
        zone.dump()
    )))
}

/// Whom an offering is for. Those who administer a domain make offerings for domains of theirs only.
///
/// # Errors
/// 431 for zones and domains that do not exist and for an offering for everybody, 531 for domains of others.
pub(super) async fn restrictions(
    ctx: &Ctx,
    domains: Option<&Vec<Id<DomainRef>>>,
    zones: Option<&Vec<Id<ZoneRef>>>,
) -> Result<Restrictions, ApiError> {
    let mut to = Restrictions::default();
    for id in zones.into_iter().flatten() {
        let known = ctx.store.zone_by_id(id.number()).await?;
        known.ok_or_else(|| ApiError::invalid_parameter("Please specify a valid zone id"))?;
        if !to.zones.contains(&id.number()) {
            to.zones.push(id.number());
        }
    }
    for id in domains.into_iter().flatten() {
        let unknown = |error: ApiError| match error.text.contains("doesn't exist") {
            true => ApiError::invalid_parameter("Please specify a valid domain id"),
            false => error,
        };
        let domain = Domain::open(ctx, id.number()).await.map_err(unknown)?;
        if !to.domains.contains(&domain.id) {
            to.domains.push(domain.id);
        }
    }
    if to.domains.is_empty() && !ctx.caller.is_root_admin() {
        return Err(ApiError::invalid_parameter(
            "Only a root admin can make an offering for everybody; name domains of yours in domainid",
        ));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_states() {
        assert_eq!(allocation_state(Some("enabled"), "Disabled").unwrap(), "Enabled");
        assert_eq!(allocation_state(None, "Disabled").unwrap(), "Disabled");
        assert!(allocation_state(Some("Open"), "Disabled").is_err());
        assert_eq!(
            joined(Some(&vec![" a".to_owned(), String::new(), "b".to_owned()]), "x").unwrap().as_deref(),
            Some("a,b")
        );
        assert!(joined(Some(&vec!["a".repeat(256)]), "x").is_err());
        assert_eq!(said(Some(&"  ".to_owned())), None);
    }
}
