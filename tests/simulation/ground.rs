//! The database under a simulated estate: made once, and put back to its beginning for every seed.

use std::fmt::Write as _;

use stackmotion::demo::{DiskPlan, Estate, Plan, VmPlan, seed};
use stackmotion::store::Store;

const MIB: u64 = 1 << 20;

/// An estate in a database of its own.
pub struct Ground {
    pub estate: Estate,
    pub store: Store,
    /// The statements that put everything back.
    back: String,
}

/// Two clusters of two hosts, and machines on shared and on local storage, one of them stopped.
fn plan() -> Plan {
    let shared = |name: &str, pool: &str| DiskPlan::shared(name, pool, 16 * MIB, MIB);
    let two = VmPlan::new("two", "c1-h1").disk(shared("ROOT-two", "c1-p1")).disk(shared("DATA-two", "c1-p1"));
    let one = VmPlan::new("one", "c1-h2").disk(shared("ROOT-one", "c1-p2"));
    let local = VmPlan::new("local", "c1-h1").disk(DiskPlan::local("ROOT-local", 16 * MIB, MIB));
    let far = VmPlan::new("far", "c2-h1").disk(shared("ROOT-far", "c2-p1"));
    let off = VmPlan::new("off", "c1-h2").disk(shared("ROOT-off", "c1-p1")).stopped();
    Plan::regular(1, 2, 2, 2).vm(two).vm(one).vm(local).vm(far).vm(off)
}

impl Ground {
    pub async fn new() -> Self {
        let estate = Estate::new(&plan()).expect("a sound plan");
        let store = Store::open("sqlite::memory:").await.expect("a database");
        store.bootstrap().await.expect("accounts");
        seed(&store, &estate, 1).await.expect("an inventory");
        // The order of deletions and insertions is that of the names, whatever refers to what.
        store.db().run("PRAGMA foreign_keys = OFF", vec![]).await.expect("no keys");
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
            AND (name NOT LIKE 'sqlite%' OR name = 'sqlite_sequence') ORDER BY name";
        let mut back = String::new();
        for row in store.db().rows(sql, vec![]).await.expect("tables") {
            let name: String = row.at(0).expect("a name");
            write!(back, "DELETE FROM `{name}`; ").expect("memory");
            let has_rows = store.db().row(&format!("SELECT 1 FROM `{name}` LIMIT 1"), vec![]).await.expect("a table");
            if has_rows.is_some() {
                let keep = format!("CREATE TABLE `kept_{name}` AS SELECT * FROM `{name}`");
                store.db().run(&keep, vec![]).await.expect("a copy");
                write!(back, "INSERT INTO `{name}` SELECT * FROM `kept_{name}`; ").expect("memory");
            }
        }
        Self { estate, store, back }
    }

    /// Puts everything back to its beginning.
    pub async fn put_back(&self) {
        self.store.db().run(&self.back, vec![]).await.expect("the beginning");
    }
}
