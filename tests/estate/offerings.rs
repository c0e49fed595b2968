//! Disk and service offerings: what is made, and whom it is for.

use super::bench::{Bench, id_of};
use crate::support::database;

#[tokio::test(flavor = "multi_thread")]
async fn offerings_are_made_and_listed() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(118, database).await;
        // The web interface's dialog for moving a disk needs one.
        let first = bench.done("listDiskOfferings", &[]).await;
        assert_eq!((first["count"].as_i64(), first["diskoffering"][0]["name"].as_str()), (Some(1), Some("Small")));
        let first = &first["diskoffering"][0];
        assert_eq!(
            (first["displaytext"].as_str(), first["disksize"].as_i64(), first["iscustomized"].as_bool()),
            (Some("Small Disk, 5 GB"), Some(5), Some(false)),
            "{kind}: {first}"
        );
        let disk =
            bench.done("createDiskOffering", &[("name", "ten"), ("disksize", "10"), ("tags", "fast, big")]).await;
        let disk = &disk["diskoffering"];
        assert_eq!(
            (disk["disksize"].as_i64(), disk["tags"].as_str(), disk["storagetype"].as_str()),
            (Some(10), Some("fast,big"), Some("shared")),
            "{kind}"
        );
        assert_eq!(disk["displaytext"], "ten");
        let local = bench
            .done(
                "createDiskOffering",
                &[("name", "any"), ("customized", "true"), ("storagetype", "local"), ("provisioningtype", "fat")],
            )
            .await;
        assert_eq!(
            (local["diskoffering"]["iscustomized"].as_bool(), local["diskoffering"]["storagetype"].as_str()),
            (Some(true), Some("local"))
        );
        for (params, text) in [
            (&[("name", "x")][..], "Disksize is required for a non-customized disk offering"),
            (
                &[("name", "x"), ("customized", "true"), ("disksize", "1")],
                "Disksize is not allowed for a customized disk offering",
            ),
            (
                &[("name", "x"), ("disksize", "1"), ("storagetype", "far")],
                "Invalid storage type far specified, valid types are: 'local' and 'shared'",
            ),
            (
                &[("name", "x"), ("disksize", "1"), ("miniops", "9"), ("maxiops", "3")],
                "The min Iops must be less than or equal to the max Iops.",
            ),
        ] {
            let refused = bench.refused("createDiskOffering", params).await;
            assert_eq!((refused.code, refused.text.as_str()), (431, text));
        }
        let domains = bench.done("listDomains", &[]).await;
        let root = domains["domain"][0]["id"].as_str().expect("a domain");
        let own = bench.done("createDiskOffering", &[("name", "own"), ("disksize", "1"), ("domainid", root)]).await;
        assert_eq!(own["diskoffering"]["domainid"], root, "{kind}: {own}");
        let size = [("name", "own"), ("cpunumber", "1"), ("cpuspeed", "500"), ("memory", "512"), ("domainid", root)];
        let own = bench.done("createServiceOffering", &size).await;
        assert_eq!(own["serviceoffering"]["domainid"], root, "{kind}: {own}");
        let size =
            [("name", "small"), ("cpunumber", "2"), ("cpuspeed", "500"), ("memory", "1024"), ("hosttags", "gpu")];
        let service = bench.done("createServiceOffering", &size).await;
        let service = &service["serviceoffering"];
        assert_eq!(
            (service["cpunumber"].as_i64(), service["memory"].as_i64(), service["hosttags"].as_str()),
            (Some(2), Some(1024), Some("gpu")),
            "{kind}"
        );
        assert_eq!(bench.count("SELECT COUNT(*) FROM disk_offering WHERE compute_only = 1").await, 2);
        let with =
            bench.done("createServiceOffering", &[&size[..], &[("diskofferingid", &id_of(disk))]].concat()).await;
        assert_eq!(with["serviceoffering"]["diskofferingname"], "ten");
        assert_eq!(
            bench.count("SELECT COUNT(*) FROM disk_offering WHERE compute_only = 1").await,
            2,
            "{kind}: none was made for it"
        );
        let custom = [("name", "own"), ("customized", "true"), ("mincpunumber", "1"), ("maxcpunumber", "8")];
        let made = bench.done("createServiceOffering", &custom).await;
        assert_eq!(made["serviceoffering"]["iscustomized"], true);
        assert_eq!(
            bench.refused("createServiceOffering", &[&custom[..], &[("memory", "512")]].concat()).await.text,
            "For creating a custom compute offering cpu and memory all should be null"
        );
        assert_eq!(bench.done("listDiskOfferings", &[]).await["count"], 4, "{kind}: hidden ones are not listed");
        assert_eq!(bench.done("listServiceOfferings", &[]).await["count"], 4);
        assert_eq!(
            bench.count("SELECT COUNT(*) FROM event WHERE type LIKE '%.OFFERING.CREATE' AND level = 'INFO'").await,
            7
        );
        bench.stop().await;
    }
}
