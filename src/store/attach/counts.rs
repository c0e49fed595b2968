//! What a database to be attached holds, and what about it is worth knowing.

use super::ALIVE;
use super::schema::Schema;
use super::survey::{Finding, Survey};
use crate::args;
use crate::model::{HYPERV, Timestamp};
use crate::store::{Db, StoreError, Value};

/// Rows that are counted: of what, and what stands after SELECT COUNT(*).
const COUNTED: [(&str, &str); 7] = [
    ("zones", "FROM data_center t WHERE t.removed IS NULL"),
    ("hosts", "FROM host t WHERE t.removed IS NULL AND t.type = 'Routing'"),
    ("pools", "FROM storage_pool t WHERE t.removed IS NULL"),
    ("VMs", "FROM vm_instance t WHERE t.removed IS NULL AND t.type = 'User'"),
    ("volumes", "FROM volumes t WHERE t.removed IS NULL"),
    ("accounts", "FROM account t WHERE t.removed IS NULL"),
    ("keys", "FROM api_keypair t WHERE t.removed IS NULL"),
];

/// The length of a secret key in clear: 64 bytes in Base64 without the signs that fill it up (`contract/entities.md` 2.9).
const SECRET_LENGTH: usize = 86;

/// Counts, and notes what an operator should know.
pub(super) async fn fill(db: &Db, schema: &Schema, survey: &mut Survey) -> Result<(), StoreError> {
    for (what, from) in COUNTED {
        let count = number(db, schema, &format!("SELECT COUNT(*) {from}"), vec![]).await?;
        survey.found.push(Finding { count, what });
    }
    capabilities(db, schema, survey).await?;
    secrets(db, schema, survey).await?;
    busy(db, schema, survey).await
}

async fn number(db: &Db, schema: &Schema, sql: &str, args: Vec<Value>) -> Result<i64, StoreError> {
    db.row(&schema.read(sql), args).await?.map_or(Ok(0), |row| row.at(0))
}

/// Versions of Hyper-V that hosts have and that CloudStack does not hold able to move disks.
async fn capabilities(db: &Db, schema: &Schema, survey: &mut Survey) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT h.hypervisor_version FROM host h LEFT JOIN hypervisor_capabilities c ON \
        c.hypervisor_type = h.hypervisor_type AND c.hypervisor_version = h.hypervisor_version \
        WHERE h.removed IS NULL AND h.type = 'Routing' AND h.hypervisor_type = ? AND h.hypervisor_version IS NOT NULL \
        AND COALESCE(c.storage_motion_supported, 0) = 0 ORDER BY h.hypervisor_version";
    for row in db.rows(&schema.read(sql), args![HYPERV]).await? {
        let version: String = row.at(0)?;
        survey.notes.push(format!(
            "Hyper-V {version} has no row in hypervisor_capabilities with storage motion, so disks of running VMs stay where \
             they are on such hosts; docs/attached.md has the statement that adds it"
        ));
    }
    Ok(())
}

/// Key pairs whose secret is not one in clear.
async fn secrets(db: &Db, schema: &Schema, survey: &mut Survey) -> Result<(), StoreError> {
    let sql = "SELECT t.secret_key FROM api_keypair t WHERE t.removed IS NULL";
    let rows = db.rows(&schema.read(sql), vec![]).await?;
    let texts = rows.iter().map(|row| row.at::<Option<String>>(0)).collect::<Result<Vec<_>, _>>()?;
    survey.encrypted = texts.iter().flatten().filter(|text| looks_encrypted(text)).count();
    if survey.encrypted > 0 {
        survey.notes.push(format!(
            "{} of {} secret keys look encrypted: CloudStack's database key (cloudstack.db_key) is needed to read them, and \
             without it calls signed with them are refused (401). New pairs are made by the management server only",
            survey.encrypted,
            texts.len()
        ));
    }
    Ok(())
}

/// Whether a text looks like one that CloudStack has encrypted (`contract/entities.md` 3.28): standard Base64 that is longer
/// than a secret key in clear.
fn looks_encrypted(text: &str) -> bool {
    let is_base64 = text.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'='));
    is_base64 && text.len().is_multiple_of(4) && text.len() > SECRET_LENGTH
}

/// What goes on at this moment.
async fn busy(db: &Db, schema: &Schema, survey: &mut Survey) -> Result<(), StoreError> {
    let since = Timestamp::from_unix(Timestamp::now().unix() - ALIVE);
    let mut sql =
        "SELECT COUNT(*) FROM mshost t WHERE t.removed IS NULL AND t.state = 'Up' AND t.last_update > ?".to_owned();
    if !survey.creates.iter().any(|table| table == "motion_node") {
        sql.push_str(" AND t.msid NOT IN (SELECT n.id FROM motion_node n)");
    }
    let servers = number(db, schema, &sql, args![since]).await?;
    if servers > 0 {
        survey.notes.push(format!(
            "{servers} management server(s) work on this database: they see to the hosts that are connected to them"
        ));
    }
    let moving = "SELECT COUNT(*) FROM volumes t WHERE t.removed IS NULL AND t.state = 'Migrating'";
    let moving = number(db, schema, moving, vec![]).await?;
    if moving > 0 {
        survey.notes.push(format!(
            "{moving} volume(s) are Migrating: those that a management server moves are left alone until it has ended"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::looks_encrypted;

    #[test]
    fn secrets_in_clear_are_told_from_others() {
        assert!(!looks_encrypted(&"aB-_".repeat(21)));
        assert!(!looks_encrypted(&"a".repeat(86)));
        assert!(!looks_encrypted("secret-admin"));
        assert!(looks_encrypted(&format!("{}==", "aB+/".repeat(37) + "ab")));
    }
}
