//! Lists of things that there are none of here. Clients ask for them on their way to something else, and an empty list is
//! what they go on with; a refusal would break their screen or call (`contract/ui.md 2`, `contract/entities.md 5.9 and 6.4`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Page, Reply};

macro_rules! empty_lists {
    ($($(#[doc = $doc:literal])* $name:ident $view:ident = $api:literal $(since $since:literal)? $(in $envelope:literal)?,
        $object:literal, [$($role:ident),*], $java:literal;)*) => {$(
        crate::command! {
            $(#[doc = $doc])*
            pub struct $name {
                /// Page and search word.
                page: Page,
            }
            name $api, $(since $since,)? $(envelope $envelope,)? kind Sync, http Get, response [$view],
            roles [$($role),*],
            java $java
        }

        crate::response! {
            /// There is none here.
            pub struct $view as $object {
                /// Its id.
                id: String,
            }
        }

        impl SyncCommand for $name {
            async fn run(self, _: &Ctx) -> Result<Reply, ApiError> {
                Ok(Reply::list(0, Vec::<$view>::new()))
            }
        }
    )*};
}

empty_lists! {
    /// Lists notes that people have left on things. There are none here.
    ListAnnotations AnnotationView = "listAnnotations" since "4.11", "annotation", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.admin.annotation.ListAnnotationsCmd";
    /// Lists plans that spread machines over a cluster. There are none here.
    ListClusterDrsPlan DrsPlanView = "listClusterDrsPlan" since "4.19.0", "drsPlan", [Admin],
        "org.apache.cloudstack.api.command.admin.cluster.ListClusterDrsPlanCmd";
    /// Lists clusters that are kept for one domain or account. There are none here.
    ListDedicatedClusters DedicatedClusterView = "listDedicatedClusters", "dedicatedcluster", [Admin],
        "org.apache.cloudstack.api.commands.ListDedicatedClustersCmd";
    /// Lists hosts that are kept for one domain or account. There are none here.
    ListDedicatedHosts DedicatedHostView = "listDedicatedHosts", "dedicatedhost", [Admin],
        "org.apache.cloudstack.api.command.admin.host.ListDedicatedHostsCmd";
    /// Lists pods that are kept for one domain or account. There are none here.
    ListDedicatedPods DedicatedPodView = "listDedicatedPods", "dedicatedpod", [Admin],
        "org.apache.cloudstack.api.commands.ListDedicatedPodsCmd";
    /// Lists zones that are kept for one domain or account. There are none here.
    ListDedicatedZones DedicatedZoneView = "listDedicatedZones", "dedicatedzone", [Admin],
        "org.apache.cloudstack.api.commands.ListDedicatedZonesCmd";
    /// Lists looks of the web interface. There is only its own; anybody may ask.
    ListGuiThemes GuiThemeView = "listGuiThemes" since "4.21.0.0", "guithemes", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.gui.theme.ListGuiThemesCmd";
    /// Lists devices that keep keys. There are none here.
    ListHsmProfiles HsmProfileView = "listHSMProfiles" since "4.23.0", "hsmprofile", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.kms.hsm.ListHSMProfilesCmd";
    /// Lists stores for templates and snapshots. There are none here.
    ListImageStores ImageStoreView = "listImageStores" since "4.2.0", "imagestore", [Admin, ResourceAdmin],
        "org.apache.cloudstack.api.command.admin.storage.ListImageStoresCmd";
    /// Lists rules that let an address outside stand for a machine. There are none here.
    ListIpForwardingRules IpForwardingRuleView = "listIpForwardingRules", "ipforwardingrule",
        [Admin, ResourceAdmin, DomainAdmin, User], "org.apache.cloudstack.api.command.user.nat.ListIpForwardingRulesCmd";
    /// Lists images of discs. There are none here.
    ListIsos IsoView = "listIsos", "iso", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.iso.ListIsosCmd";
    /// Lists directories that users may be in. There are none here.
    ListLdapConfigurations LdapConfigurationView = "listLdapConfigurations" since "4.2.0" in "ldapconfigurationresponse",
        "LdapConfiguration", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.LdapListConfigurationCmd";
    /// Lists networks. There are none here.
    ListNetworks NetworkView = "listNetworks", "network", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.network.ListNetworksCmd";
    /// Lists what serves networks. There is nothing here.
    ListNetworkServiceProviders NetworkServiceProviderView = "listNetworkServiceProviders" since "3.0.0", "networkserviceprovider",
        [Admin, ResourceAdmin], "org.apache.cloudstack.api.command.admin.network.ListNetworkServiceProvidersCmd";
    /// Lists other web sites that vouch for users. There are none here; anybody may ask.
    ListOauthProvider OauthProviderView = "listOauthProvider" since "4.19.0", "oauthprovider", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.oauth2.api.command.ListOAuthProvidersCmd";
    /// Lists rules that let a port outside stand for one of a machine. There are none here.
    ListPortForwardingRules PortForwardingRuleView = "listPortForwardingRules", "portforwardingrule",
        [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.firewall.ListPortForwardingRulesCmd";
    /// Lists addresses that the world outside reaches. There are none here.
    ListPublicIpAddresses PublicIpAddressView = "listPublicIpAddresses", "publicipaddress",
        [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.address.ListPublicIpAddressesCmd";
    /// Lists pictures of things. There are none here.
    ListResourceIcon ResourceIconView = "listResourceIcon" since "4.16.0.0", "icon", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.resource.ListResourceIconCmd";
    /// Lists snapshots of disks. There are none here.
    ListSnapshots SnapshotView = "listSnapshots", "snapshot", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.snapshot.ListSnapshotsCmd";
    /// Lists keys for logging in to machines. There are none here.
    ListSshKeyPairs SshKeyPairView = "listSSHKeyPairs", "sshkeypair", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.ssh.ListSSHKeyPairsCmd";
    /// Lists private clouds of networks. There are none here.
    ListVpcs VpcView = "listVPCs", "vpc", [Admin, ResourceAdmin, DomainAdmin, User],
        "org.apache.cloudstack.api.command.user.vpc.ListVPCsCmd";
}
