//! `stackmotion adopt`: what becomes of the machines that a host had before the gateway.

use serde_json::Value;

use super::command::{client, report};
use super::{AccessArgs, Client, ClientError, Outcome};

/// Gives machines that are on a host their rows, so that they can be listed and moved.
///
/// Without --apply nothing is written: it is shown what would become of each machine, and why some are left alone. Nothing on
/// the host is changed either way, and the command may be given again.
#[derive(Debug, Clone, clap::Args)]
pub struct AdoptArgs {
    /// The host: its id, its name or its address.
    pub host: String,
    /// The id or name of the service offering that the machines get.
    #[arg(long, value_name = "OFFERING")]
    pub service_offering: String,
    /// The id or name of the disk offering that their data disks get.
    #[arg(long, value_name = "OFFERING")]
    pub disk_offering: Option<String>,
    /// The account that the machines become; the caller's without it.
    #[arg(long)]
    pub account: Option<String>,
    /// The id of the account's domain.
    #[arg(long)]
    pub domain_id: Option<String>,
    /// Only this machine. May be given several times.
    #[arg(long, value_name = "MACHINE")]
    pub only: Vec<String>,
    /// Write the rows.
    #[arg(long)]
    pub apply: bool,
    /// Where to call and as whom.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Why nothing was adopted.
enum Trouble {
    /// A thing that was named is not there, or there are several.
    Named(String),
    /// The call brought no result.
    Call(ClientError),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Call(error)
    }
}

/// Judges or adopts, and tells what became of each machine. [`Outcome::Refused`] when one was left alone.
pub async fn adopt(args: AdoptArgs) -> Outcome {
    let client = match client(&args.access) {
        Ok(client) => client,
        Err(message) => {
            eprintln!("error: {message}");
            return Outcome::Usage;
        }
    };
    match judged(&client, &args).await {
        Ok(machines) => {
            print!("{}", told(&machines, args.apply));
            let refused = machines.iter().any(|machine| machine["outcome"] == "refused");
            if refused { Outcome::Refused } else { Outcome::Success }
        }
        Err(Trouble::Named(message)) => {
            eprintln!("error: {message}");
            Outcome::Usage
        }
        Err(Trouble::Call(error)) => report(&error),
    }
}

async fn judged(client: &Client, args: &AdoptArgs) -> Result<Vec<Value>, Trouble> {
    let host = found(client, "listHosts", "host", &args.host).await?;
    let service = found(client, "listServiceOfferings", "serviceoffering", &args.service_offering).await?;
    let disk = match &args.disk_offering {
        Some(name) => Some(found(client, "listDiskOfferings", "diskoffering", name).await?),
        None => None,
    };
    let names = args.only.join(",");
    let mut params = vec![("id", host.as_str()), ("serviceofferingid", &service)];
    params.extend(disk.as_deref().map(|id| ("diskofferingid", id)));
    params.extend(args.account.as_deref().map(|name| ("account", name)));
    params.extend(args.domain_id.as_deref().map(|id| ("domainid", id)));
    params.extend((!names.is_empty()).then_some(("names", names.as_str())));
    params.extend(args.apply.then_some(("apply", "true")));
    let answer = client.call("adoptHost", &params).await?;
    Ok(answer["adoption"].as_array().cloned().unwrap_or_default())
}

/// The id of the one thing in a list that has this id, name or address.
async fn found(client: &Client, command: &str, object: &str, word: &str) -> Result<String, Trouble> {
    let answer = client.call(command, &[("page", "1"), ("pagesize", "500")]).await?;
    let all = answer[object].as_array().cloned().unwrap_or_default();
    let fits = |thing: &&Value| ["id", "name", "ipaddress"].iter().any(|field| thing[field] == word);
    let mut fitting = all.iter().filter(fits).filter_map(|thing| thing["id"].as_str());
    match (fitting.next(), fitting.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, _) => Err(Trouble::Named(format!("{command} shows no {object} with the id or name {word}"))),
        (Some(_), Some(_)) => Err(Trouble::Named(format!("{command} shows several called {word}; give the id"))),
    }
}

/// What became of the machines, one line each and one for each disk.
fn told(machines: &[Value], applied: bool) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = String::new();
    let mut fit = 0;
    for machine in machines {
        let outcome = text(&machine["outcome"]);
        fit += usize::from(outcome == "fit");
        lines.push_str(&format!("{outcome:<8} {} ({})", text(&machine["name"]), text(&machine["state"])));
        for (field, before) in [("reason", ": "), ("virtualmachineid", " ")] {
            if let Some(word) = machine[field].as_str() {
                lines.push_str(&format!("{before}{word}"));
            }
        }
        lines.push('\n');
        for disk in machine["disk"].as_array().into_iter().flatten().filter(|_| outcome != "refused") {
            lines.push_str(&format!(
                "         {} {} in {}, {} bytes\n",
                text(&disk["format"]),
                text(&disk["path"]),
                text(&disk["storage"]),
                disk["size"]
            ));
        }
    }
    if machines.is_empty() {
        lines.push_str("the host tells of no machine\n");
    } else if !applied {
        lines.push_str(&format!("nothing was written; --apply adopts {fit} of {} machines\n", machines.len()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::told;

    #[test]
    fn each_machine_is_told_with_its_reason_or_its_disks() {
        let disk = json!([{ "path": "root-1", "storage": "one", "format": "VHDX", "size": 1024 }]);
        let machines = [
            json!({ "name": "a", "state": "Running", "outcome": "fit", "disk": disk }),
            json!({ "name": "b", "state": "Stopped", "outcome": "refused", "reason": "no disk", "disk": disk }),
        ];
        assert_eq!(
            told(&machines, false),
            "fit      a (Running)\n         VHDX root-1 in one, 1024 bytes\nrefused  b (Stopped): no disk\n\
             nothing was written; --apply adopts 1 of 2 machines\n"
        );
        assert_eq!(told(&[], true), "the host tells of no machine\n");
    }
}
