//! The kinds of things a client can name by id, and the table each lives in.

/// A kind of row that has an internal number and a public UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityKind {
    /// A zone.
    Zone,
    /// A pod inside a zone.
    Pod,
    /// A cluster of hosts of one hypervisor.
    Cluster,
    /// A hypervisor host.
    Host,
    /// A primary storage pool.
    StoragePool,
    /// A disk.
    Volume,
    /// A virtual machine, user or system.
    Vm,
    /// What a disk may be like.
    DiskOffering,
    /// What a machine may be like.
    ServiceOffering,
    /// An image machines are made from.
    Template,
    /// A point-in-time copy of a disk.
    Snapshot,
    /// A group of accounts.
    Domain,
    /// An owner of resources.
    Account,
    /// A person or program that acts for an account.
    User,
    /// Resources shared by several accounts.
    Project,
    /// A role: an ordered list of allowed and denied commands.
    Role,
    /// A role that members of a project are given in it.
    ProjectRole,
    /// A background job.
    AsyncJob,
    /// What a version of a hypervisor can do.
    HypervisorCapabilities,
    /// A gateway or management server node.
    ManagementServer,
    /// A gateway, also where it has no row among the servers.
    Gateway,
    /// A network of machines.
    Network,
    /// Machines that belong together, or apart.
    AffinityGroup,
    /// A pair of API keys of a user.
    KeyPair,
    /// Something that happened.
    Event,
    /// Something that wants attention.
    Alert,
    /// What runs inside a machine.
    GuestOs,
    /// A family of guest systems.
    GuestOsCategory,
    /// A file that a motion may have left behind.
    MotionFile,
}

impl EntityKind {
    /// The table that holds rows of this kind (`contract/schema/columns.tsv` names them).
    pub const fn table(self) -> &'static str {
        match self {
            Self::Zone => "data_center",
            Self::Pod => "host_pod_ref",
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::StoragePool => "storage_pool",
            Self::Volume => "volumes",
            Self::Vm => "vm_instance",
            Self::DiskOffering => "disk_offering",
            Self::ServiceOffering => "service_offering",
            Self::Template => "vm_template",
            Self::Snapshot => "snapshots",
            Self::Domain => "domain",
            Self::Account => "account",
            Self::User => "user",
            Self::Project => "projects",
            Self::Role => "roles",
            Self::ProjectRole => "project_role",
            Self::AsyncJob => "async_job",
            Self::HypervisorCapabilities => "hypervisor_capabilities",
            Self::ManagementServer => "mshost",
            Self::Gateway => "motion_node",
            Self::Network => "networks",
            Self::AffinityGroup => "affinity_group",
            Self::KeyPair => "api_keypair",
            Self::Event => "event",
            Self::Alert => "alert",
            Self::GuestOs => "guest_os",
            Self::GuestOsCategory => "guest_os_category",
            Self::MotionFile => "motion_file",
        }
    }

    /// The name of the object that describes such a row in an API answer (`contract/entities.md 0.2`).
    ///
    /// The `related` lists of `listApis` are built from it.
    pub const fn object_name(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            Self::Pod => "pod",
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::StoragePool => "storagepool",
            Self::Volume => "volume",
            Self::Vm => "virtualmachine",
            Self::DiskOffering => "diskoffering",
            Self::ServiceOffering => "serviceoffering",
            Self::Template => "template",
            Self::Snapshot => "snapshot",
            Self::Domain => "domain",
            Self::Account => "account",
            Self::User => "user",
            Self::Project => "project",
            Self::Role => "role",
            Self::ProjectRole => "projectrole",
            Self::AsyncJob => "asyncjobs",
            Self::HypervisorCapabilities => "hypervisorCapabilities",
            Self::ManagementServer | Self::Gateway => "managementserver",
            Self::Network => "network",
            Self::AffinityGroup => "affinitygroup",
            Self::KeyPair => "userapikey",
            Self::Event => "event",
            Self::Alert => "alert",
            Self::GuestOs => "ostype",
            Self::GuestOsCategory => "oscategory",
            Self::MotionFile => "migrationleftover",
        }
    }
}

/// A type that stands for an [`EntityKind`] in the type of a parameter, so that ids of two kinds cannot be mixed up.
pub trait Entity: Send + Sync + 'static {
    /// The kind it stands for.
    const KIND: EntityKind;
}

macro_rules! entity_refs {
    ($($(#[doc = $doc:literal])* $name:ident => $kind:ident),* $(,)?) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name;

            impl Entity for $name {
                const KIND: EntityKind = EntityKind::$kind;
            }
        )*
    };
}

entity_refs! {
    /// Marks the id of a zone.
    ZoneRef => Zone,
    /// Marks the id of a pod.
    PodRef => Pod,
    /// Marks the id of a cluster.
    ClusterRef => Cluster,
    /// Marks the id of a host.
    HostRef => Host,
    /// Marks the id of a storage pool.
    StoragePoolRef => StoragePool,
    /// Marks the id of a volume.
    VolumeRef => Volume,
    /// Marks the id of a virtual machine.
    VmRef => Vm,
    /// Marks the id of a disk offering.
    DiskOfferingRef => DiskOffering,
    /// Marks the id of a service offering.
    ServiceOfferingRef => ServiceOffering,
    /// Marks the id of a template.
    TemplateRef => Template,
    /// Marks the id of a snapshot.
    SnapshotRef => Snapshot,
    /// Marks the id of a domain.
    DomainRef => Domain,
    /// Marks the id of an account.
    AccountRef => Account,
    /// Marks the id of a user.
    UserRef => User,
    /// Marks the id of a project.
    ProjectRef => Project,
    /// Marks the id of a role.
    RoleRef => Role,
    /// Marks the id of a role inside a project.
    ProjectRoleRef => ProjectRole,
    /// Marks the id of a file that a motion may have left behind.
    MotionFileRef => MotionFile,
    /// Marks the id of a job.
    AsyncJobRef => AsyncJob,
    /// Marks the id of a row of hypervisor capabilities.
    HypervisorCapabilitiesRef => HypervisorCapabilities,
    /// Marks the id of a gateway or management server node.
    ManagementServerRef => ManagementServer,
    /// Marks the id of a network.
    NetworkRef => Network,
    /// Marks the id of an affinity group.
    AffinityGroupRef => AffinityGroup,
    /// Marks the id of a pair of API keys.
    KeyPairRef => KeyPair,
    /// Marks the id of an event.
    EventRef => Event,
    /// Marks the id of an alert.
    AlertRef => Alert,
    /// Marks the id of a guest system.
    GuestOsRef => GuestOs,
    /// Marks the id of a family of guest systems.
    GuestOsCategoryRef => GuestOsCategory,
}
