//! Paths in rows of the database that would lead an agent elsewhere.

use stackmotion::hypervisors::hyperv::{ClientSettings, HyperV};
use stackmotion::motion::hypervisor::{DiskRef, Effect, Hypervisor, VmMove, VolumeCopy, VolumeMove};

use crate::hyperv::moves::volume_order;
use crate::hyperv::server::{Reply, Server, client, golden, host_at, modern};

const STEMS: [&str; 15] = [
    "..",
    ".",
    "",
    "../x",
    "..\\x",
    "a/b",
    "a\\b",
    "\\\\evil\\share\\x",
    "C:\\x",
    "C:x",
    "disk:stream",
    "a\0b",
    "a\nb",
    "nul",
    "a*",
];
const SHARES: [&str; 9] =
    ["/../c$", "/share/../../x", "//evil/share", "/share\\..\\x", "\\\\evil\\share", "/a\0", "/C:/x", "/a|b", "share"];
const FOLDERS: [&str; 8] = [
    "D:\\..\\x",
    "\\\\evil\\share",
    "//evil/share",
    "\\\\.\\PhysicalDrive0",
    "\\\\?\\D:\\x",
    "D:x",
    "D:\\a\0",
    "..\\x",
];
const SERVERS: [&str; 7] = ["..", "evil\\share", "evil/share", "a b", "a\0", "user@evil", ""];

/// Every order with one thing wrong in it.
fn wrong_orders(good: &VolumeMove) -> Vec<VolumeMove> {
    let change = |how: &dyn Fn(&mut VolumeMove)| {
        let mut order = good.clone();
        how(&mut order);
        order
    };
    let mut all: Vec<_> = STEMS.iter().map(|stem| change(&|order| order.disk.stem = (*stem).to_owned())).collect();
    all.extend(SHARES.iter().map(|path| change(&|order| order.target.path = (*path).to_owned())));
    all.extend(SERVERS.iter().map(|host| change(&|order| order.target.host = (*host).to_owned())));
    all.extend(FOLDERS.iter().map(|path| {
        change(&|order| {
            order.target.kind = "Filesystem".to_owned();
            order.target.path = (*path).to_owned();
        })
    }));
    all
}

#[tokio::test]
async fn rows_that_lead_elsewhere_are_not_sent_to_an_agent() {
    let server = Server::start(modern(), |_| Reply::Drop);
    let (hyperv, host) = (HyperV::new(client(ClientSettings::default())), server.host());
    let good = volume_order(&golden("migrate-volume").0);
    for order in wrong_orders(&good) {
        let what = format!("{:?} {:?} {:?}", order.disk.stem, order.target.host, order.target.path);
        let mut errors = vec![hyperv.move_volume(&host, &order).await.unwrap_err()];
        let copy = DiskRef { volume_id: 99, pool: order.target.clone(), ..order.disk.clone() };
        errors.push(hyperv.delete_volume(&host, &copy).await.unwrap_err());
        errors.push(hyperv.files(&host, &order.target, &order.disk.stem).await.unwrap_err());
        let copying = VolumeCopy { motion: "m".to_owned(), disk: good.disk.clone(), copy };
        errors.push(hyperv.copy_volume(&host, &copying).await.unwrap_err());
        let whole = VmMove {
            motion: "m".to_owned(),
            vm: order.vm.clone(),
            target_host: host_at("192.0.2.22", 8250),
            disks: vec![(order.disk.clone(), order.target.clone())],
        };
        errors.push(hyperv.move_vm(&host, &whole).await.unwrap_err());
        for error in errors {
            assert_eq!(error.effect, Effect::None, "{what}: {error}");
            assert!(error.text.contains("correct the ") && error.text.contains("nothing was sent"), "{what}: {error}");
        }
    }
    assert_eq!(server.connections(), 0);
}
