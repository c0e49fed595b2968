//! The state machines as an operator and a test see them: the whole matrix as text, and the page of the documentation.

use std::fmt::Write as _;

use super::{HostState, JobStatus, Machine, MotionState, PoolState, ResourceState, VmState, VolumeState, Word as _};

/// A state machine on paper.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// One word, for files.
    pub name: &'static str,
    /// The whole matrix: a line for each state, a column for each event, in it the next state or `-` where it is refused.
    /// Columns are aligned with blanks and separated by tabs.
    pub matrix: String,
    /// The section of the documentation.
    section: String,
}

/// What the documentation says of a machine beside what follows from the code.
struct Caption {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    source: &'static str,
}

/// All state machines, in the order of the documentation.
#[must_use]
pub fn drawings() -> Vec<Drawing> {
    vec![
        draw::<VolumeState>(&Caption {
            name: "volume",
            title: "Volumes",
            about: "`volumes.state`, shown as `state` by `listVolumes`. The gateway makes the steps of a migration and no \
                others; every step is guarded by the state and by `update_count`, so of two writers one is told that it was late.",
            source: "`contract/migration.md` 3.1, `contract/entities.md` 4.4",
        }),
        draw::<VmState>(&Caption {
            name: "vm",
            title: "Virtual machines",
            about: "`vm_instance.state`, shown as `state` by `listVirtualMachines`. Guarded as volumes are.",
            source: "`contract/migration.md` 3.2, `contract/entities.md` 4.5",
        }),
        draw::<JobStatus>(&Caption {
            name: "job",
            title: "Jobs",
            about: "`async_job.job_status`, a number, shown as `jobstatus` by `queryAsyncJobResult`. Who runs a job is \
                settled by claims with epochs ([decision 11](adr/0011-leases-fences-and-asked-commits.md)).",
            source: "`contract/api-protocol.md` 7.3, `contract/entities.md` 3.23",
        }),
        draw::<MotionState>(&Caption {
            name: "motion",
            title: "Motions",
            about: "`motion_migration.phase` and, once that is `settled`, `outcome`; shown as `phase` and `outcome` by \
                `listMigrations`. CloudStack has no such journal.",
            source: "`contract/hyperv-e2e.md`, demands 1 to 4",
        }),
        draw::<HostState>(&Caption {
            name: "host",
            title: "Hosts",
            about: "`host.status`, shown as `state` by `listHosts`. Where a management server works on the same database and \
                has the host, it alone writes this.",
            source: "`contract/entities.md` 4.2, 2.4",
        }),
        draw::<ResourceState>(&Caption {
            name: "host-resource",
            title: "Hosts: whether they are given work",
            about: "`host.resource_state`, shown as `resourcestate` by `listHosts`. A motion goes only to a host that is `Up` \
                and `Enabled`.",
            source: "`contract/entities.md` 4.2, `contract/migration.md` 7.1",
        }),
        draw::<PoolState>(&Caption {
            name: "pool",
            title: "Storage pools",
            about: "`storage_pool.status`, shown as `state` by `listStoragePools`.",
            source: "`contract/entities.md` 4.3, 2.5",
        }),
    ]
}

/// The page of the documentation.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# State machines\n\n\
         This page is made from the code in `src/model/states`; `stackmotion states` prints it. The whole matrices, refusals \
         included, are in `tests/golden/states`.\n\n\
         A step that is not drawn is refused. States without an arrow are those that only a management server enters and \
         leaves: the gateway shows them and begins nothing with what is in them.\n",
    );
    for drawing in drawings() {
        text.push_str(&drawing.section);
    }
    text
}

fn draw<S: Machine>(caption: &Caption) -> Drawing {
    let mut section = format!("\n## {}\n\n{}\n\nSource: {}.\n\n", caption.title, caption.about, caption.source);
    section.push_str(&diagram::<S>());
    section.push_str("\n| State | What it means |\n| --- | --- |\n");
    for state in <S as super::Word>::ALL {
        let _ = writeln!(section, "| `{state}` | {} |", state.meaning());
    }
    section.push_str("\n| Event | What has happened |\n| --- | --- |\n");
    for event in <S::Event as super::Word>::ALL {
        let _ = writeln!(section, "| `{event}` | {} |", event.meaning());
    }
    Drawing { name: caption.name, matrix: matrix::<S>(), section }
}

/// A Mermaid diagram: one arrow from state to state, with every event that makes it.
fn diagram<S: Machine>() -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n");
    for begin in S::BEGINS {
        let _ = writeln!(text, "    [*] --> {begin}");
    }
    let states = <S as super::Word>::ALL;
    for &from in states {
        for &to in states {
            let events = <S::Event as super::Word>::ALL.iter().filter(|event| from.next(**event) == Some(to));
            let events: Vec<&str> = events.map(|event| event.as_str()).collect();
            if !events.is_empty() {
                let _ = writeln!(text, "    {from} --> {to}: {}", events.join(", "));
            }
        }
    }
    text.push_str("```\n");
    text
}

fn matrix<S: Machine>() -> String {
    let events = <S::Event as super::Word>::ALL;
    let mut rows = vec![std::iter::once("state").chain(events.iter().map(|event| event.as_str())).collect::<Vec<_>>()];
    for &state in <S as super::Word>::ALL {
        let next = events.iter().map(|&event| state.next(event).map_or("-", |next| next.as_str()));
        rows.push(std::iter::once(state.as_str()).chain(next).collect());
    }
    let widths: Vec<usize> =
        (0..=events.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default()).collect();
    let line = |row: &Vec<&str>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("\t").trim_end())
    };
    rows.iter().map(line).collect()
}
