//! The object `virtualmachine` (`contract/entities.md 1.6`), in the order in which CloudStack prints its fields.

use std::collections::BTreeMap;

use super::nic::NicView;
use super::tag::TagView;
use crate::api::Node;
use crate::model::Timestamp;

crate::response! {
    /// A machine of a user.
    pub struct VirtualMachineView as "virtualmachine", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// The name people see.
        display_name "displayname": Option<String>,
        /// The account that owns it, unless a project does.
        account: Option<String>,
        /// The user who made it.
        user_id "userid": Option<String>,
        /// The name of that user.
        username: Option<String>,
        /// The project that owns it.
        project_id "projectid": Option<String>,
        /// The name of that project.
        project: Option<String>,
        /// The domain of its owner.
        domain_id "domainid": Option<String>,
        /// The name of that domain.
        domain: Option<String>,
        /// The path of that domain, as `ROOT/a`.
        domain_path "domainpath": Option<String>,
        /// When it was made.
        created: Option<Timestamp>,
        /// When its state changed last.
        last_updated "lastupdated": Option<Timestamp>,
        /// `Running`, `Stopped`, `Migrating` and so on.
        state: Option<String>,
        /// Whether it is to be started again when its host fails.
        ha_enabled "haenable": Option<bool>,
        /// Its group. Not filled here.
        group_id "groupid": Option<String>,
        /// The name of its group. Not filled here.
        group: Option<String>,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// The host it runs on. Root admins only.
        host_id "hostid": Option<String>,
        /// The name of that host. Root admins only.
        host_name "hostname": Option<String>,
        /// Whether that host can be told anything.
        host_control_state "hostcontrolstate": Option<String>,
        /// The template it was made from.
        template_id "templateid": Option<String>,
        /// The name of that template.
        template_name "templatename": Option<String>,
        /// The kind of that template.
        template_type "templatetype": Option<String>,
        /// The format of that template.
        template_format "templateformat": Option<String>,
        /// The description of that template.
        template_display_text "templatedisplaytext": Option<String>,
        /// Whether its password can be reset.
        password_enabled "passwordenabled": Option<bool>,
        /// The ISO image in its drive.
        iso_id "isoid": Option<String>,
        /// The name of that image.
        iso_name "isoname": Option<String>,
        /// The description of that image.
        iso_display_text "isodisplaytext": Option<String>,
        /// All images in its drives.
        isos: Option<Vec<Node>>,
        /// How many images it can have.
        iso_max_count "isomaxcount": Option<i64>,
        /// The service offering.
        service_offering_id "serviceofferingid": Option<String>,
        /// The name of that offering.
        service_offering_name "serviceofferingname": Option<String>,
        /// The disk offering of its first data disk.
        disk_offering_id "diskofferingid": Option<String>,
        /// The name of that offering.
        disk_offering_name "diskofferingname": Option<String>,
        /// Its graphics card. Not filled here.
        gpu_card_id "gpucardid": Option<String>,
        /// The name of that card. Not filled here.
        gpu_card_name "gpucardname": Option<String>,
        /// The profile of that card. Not filled here.
        vgpu_profile_id "vgpuprofileid": Option<String>,
        /// The name of that profile. Not filled here.
        vgpu_profile_name "vgpuprofilename": Option<String>,
        /// Graphics memory. Not filled here.
        video_ram "videoram": Option<i64>,
        /// Screens. Not filled here.
        max_heads "maxheads": Option<i64>,
        /// Width of a screen. Not filled here.
        max_resolution_x "maxresolutionx": Option<i64>,
        /// Height of a screen. Not filled here.
        max_resolution_y "maxresolutiony": Option<i64>,
        /// Graphics processors. Not filled here.
        gpu_count "gpucount": Option<i64>,
        /// How it is backed up. Not filled here.
        backup_offering_id "backupofferingid": Option<String>,
        /// The name of that offering. Not filled here.
        backup_offering_name "backupofferingname": Option<String>,
        /// Who backs it up. Not filled here.
        backup_provider "backupprovider": Option<String>,
        /// Never set, as in CloudStack.
        for_virtual_network "forvirtualnetwork": Option<bool>,
        /// Processor cores.
        cpu_number "cpunumber": Option<i64>,
        /// MHz of each core.
        cpu_speed_mhz "cpuspeed": Option<i64>,
        /// MiB of memory.
        memory_mib "memory": Option<i64>,
        /// The kind of its graphics card. Not filled here.
        vgpu: Option<String>,
        /// The share in use. Not filled here: no statistics are kept.
        cpu_used "cpuused": Option<String>,
        /// KiB received. Not filled here.
        network_kbs_read "networkkbsread": Option<i64>,
        /// KiB sent. Not filled here.
        network_kbs_write "networkkbswrite": Option<i64>,
        /// KiB read. Not filled here.
        disk_kbs_read "diskkbsread": Option<i64>,
        /// KiB written. Not filled here.
        disk_kbs_write "diskkbswrite": Option<i64>,
        /// KiB of memory. Not filled here.
        memory_kbs "memorykbs": Option<i64>,
        /// KiB of memory that are free inside. Not filled here.
        memory_free_kbs "memoryintfreekbs": Option<i64>,
        /// KiB of memory it is to have. Not filled here.
        memory_target_kbs "memorytargetkbs": Option<i64>,
        /// Read operations. Not filled here.
        disk_io_read "diskioread": Option<i64>,
        /// Write operations. Not filled here.
        disk_io_write "diskiowrite": Option<i64>,
        /// The system it runs.
        guest_os_id "guestosid": Option<String>,
        /// The place of the disk it starts from.
        root_device_id "rootdeviceid": Option<i64>,
        /// `ROOT`.
        root_device_type "rootdevicetype": Option<String>,
        /// Its security groups. Hyper-V has none.
        security_groups "securitygroup": Vec<Node>,
        /// Its password, once. Not filled here.
        password: Option<String>,
        /// Its network cards.
        nics "nic": Vec<NicView>,
        /// Its hypervisor.
        hypervisor: Option<String>,
        /// The address of its first network card.
        ip_address "ipaddress": Option<String>,
        /// Its public address. Not filled here.
        public_ip_id "publicipid": Option<String>,
        /// The same in digits. Not filled here.
        public_ip "publicip": Option<String>,
        /// The name the hypervisor knows it by. Root admins only.
        instance_name "instancename": Option<String>,
        /// Settings of it.
        details: Option<BTreeMap<String, String>>,
        /// Settings that its owner may not change, for everyone but root admins.
        readonly_details "readonlydetails": Option<String>,
        /// Settings that its owner may change. Not filled here.
        allowed_details "alloweddetails": Option<String>,
        /// The keys it was made with. Not filled here.
        key_pairs "keypairs": Option<String>,
        /// Its affinity groups.
        affinity_groups "affinitygroup": Vec<Node>,
        /// Whether ordinary users see it. Root admins only.
        display_vm "displayvm": Option<bool>,
        /// Whether it can be resized while it runs.
        is_dynamically_scalable "isdynamicallyscalable": Option<bool>,
        /// Whether it is protected against deletion.
        delete_protection "deleteprotection": bool,
        /// Its state behind a load balancer. Not filled here.
        service_state "servicestate": Option<String>,
        /// The system it runs.
        os_type_id "ostypeid": Option<String>,
        /// The name of that system.
        os_display_name "osdisplayname": Option<String>,
        /// `legacy` or `secure`.
        boot_mode "bootmode": Option<String>,
        /// `Bios` or `Uefi`.
        boot_type "boottype": Option<String>,
        /// The kind of pool its first disk is in.
        pool_type "pooltype": Option<String>,
        /// Bytes a router counted; 0, as none counts.
        received_bytes "receivedbytes": Option<i64>,
        /// Bytes a router counted; 0, as none counts.
        sent_bytes "sentbytes": Option<i64>,
        /// Its picture. Not filled here.
        icon: Option<Node>,
        /// Its group of growing size. Not filled here.
        autoscale_group_id "autoscalevmgroupid": Option<String>,
        /// The name of that group. Not filled here.
        autoscale_group_name "autoscalevmgroupname": Option<String>,
        /// What it was told at its first start, in Base64.
        user_data "userdata": Option<String>,
        /// The registered text it was told. Not filled here.
        user_data_id "userdataid": Option<String>,
        /// The name of that text. Not filled here.
        user_data_name "userdataname": Option<String>,
        /// How texts are joined. Not filled here.
        user_data_policy "userdatapolicy": Option<String>,
        /// What was filled into that text.
        user_data_details "userdatadetails": Option<String>,
        /// Network cards of an appliance. Not filled here.
        vnf_nics "vnfnics": Option<Vec<Node>>,
        /// Settings of an appliance. Not filled here.
        vnf_details "vnfdetails": Option<BTreeMap<String, String>>,
        /// `UserVM` for an ordinary machine.
        vm_type "vmtype": Option<String>,
        /// The kind of processors it needs. Root admins only.
        arch: Option<String>,
        /// For how many days it was leased. Not filled here.
        lease_duration_days "leaseduration": Option<i64>,
        /// When that ends. Not filled here.
        lease_expiry_date "leaseexpirydate": Option<Timestamp>,
        /// What happens then. Not filled here.
        lease_expiry_action "leaseexpiryaction": Option<String>,
        /// What people wrote on it.
        tags: Vec<TagView>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
        /// The newest job about it that runs.
        job_id "jobid": Option<String>,
        /// 0 while such a job runs.
        job_status "jobstatus": Option<i64>,
    }
}
