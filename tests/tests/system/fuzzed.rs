//! Bodies, parameters, names and versions that make no sense: each gets a clear answer, and the engine
//! goes on as if nothing had been.
//!
//! All of it is made from proper requests, by putting nonsense in one place after the other.
//! `CANOA_FUZZ=ROUNDS` adds so many with nonsense in several places at once, of which some containers are
//! started, too: `.ci/run long`.

use e2e::case;
use e2e::case::Case;
use e2e::footprint::Footprint;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::wire::{Answer, ask, glance, request};
use serde_json::{Value, json};

pub const CASES: &[Case] = &[
    case!(nonsense_in_any_field_of_a_body_is_refused_or_harmless)
        .needs(&[Need::Canoa, Need::Root])
        .within(900),
    case!(nonsense_in_parameters_is_refused_or_harmless).needs(&[Need::Canoa]),
    case!(nonsense_as_a_name_or_an_id_is_not_found).needs(&[Need::Canoa]),
    case!(versions_that_there_are_not_are_refused).needs(&[Need::Canoa]),
    case!(a_body_that_is_too_large_is_refused).needs(&[Need::Canoa]),
];

/// A create body with something in every field, all of which an engine can do or refuses by name.
fn create_body() -> Value {
    let mut body = json!({
        "Hostname": "h", "Domainname": "d", "User": "0", "AttachStdin": false, "AttachStdout": true,
        "AttachStderr": true, "ExposedPorts": { "80/tcp": {} }, "Tty": false, "OpenStdin": false,
        "StdinOnce": false, "Env": ["A=1"], "Cmd": ["true"], "ArgsEscaped": false, "Image": "base",
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 1_000_000_000, "Timeout": 1_000_000_000,
            "Retries": 3, "StartPeriod": 0, "StartInterval": 0 },
        "Volumes": { "/data": {} }, "WorkingDir": "/", "Entrypoint": ["env"], "NetworkDisabled": false,
        "OnBuild": [], "Labels": { "a": "b" }, "StopSignal": "TERM", "StopTimeout": 1, "Shell": ["sh"],
        "NetworkingConfig": { "EndpointsConfig": { "bridge": {
            "IPAMConfig": { "IPv4Address": "", "IPv6Address": "", "LinkLocalIPs": [] }, "Links": [],
            "Aliases": [], "MacAddress": "", "NetworkID": "", "EndpointID": "", "Gateway": "",
            "IPAddress": "", "IPPrefixLen": 0, "DriverOpts": {}, "DNSNames": [], "GwPriority": 0
        } } },
    });
    let mut host = json!({
        "Binds": ["vv:/v:ro"], "ContainerIDFile": "", "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m" } },
        "NetworkMode": "bridge", "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "0" }] },
        "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 1 }, "AutoRemove": false,
        "VolumeDriver": "", "VolumesFrom": [], "ConsoleSize": [24, 80], "Annotations": { "a": "b" },
        "Mounts": [{ "Target": "/m", "Source": "mm", "Type": "volume", "ReadOnly": false, "Consistency": "default",
            "VolumeOptions": { "NoCopy": false, "Labels": { "a": "b" }, "DriverConfig": { "Name": "local", "Options": {} } } },
            { "Target": "/t", "Type": "tmpfs", "TmpfsOptions": { "SizeBytes": 1_000_000, "Mode": 448 } }],
        "CapAdd": ["CHOWN"], "CapDrop": ["KILL"], "CgroupnsMode": "private", "Dns": ["127.0.0.1"],
        "DnsOptions": ["ndots:1"], "DnsSearch": ["x.y"], "ExtraHosts": ["a:1.2.3.4"], "GroupAdd": ["1"],
        "IpcMode": "private", "Cgroup": "", "Links": [], "OomScoreAdj": 0, "PidMode": "", "Privileged": false,
        "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": ["no-new-privileges"],
    });
    let more = json!({
        "StorageOpt": {}, "Tmpfs": { "/tt": "size=1m" }, "UTSMode": "", "UsernsMode": "", "ShmSize": 1_000_000,
        "Sysctls": { "net.ipv4.ip_forward": "1" }, "Runtime": "runc", "Isolation": "", "MaskedPaths": ["/proc/kcore"],
        "ReadonlyPaths": ["/proc/sys"], "CpuShares": 512, "Memory": 0, "CgroupParent": "", "BlkioWeight": 0,
        "BlkioWeightDevice": [], "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [],
        "BlkioDeviceWriteIOps": [], "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0, "CpusetCpus": "0", "CpusetMems": "", "Devices": [{ "PathOnHost": "/dev/null",
            "PathInContainer": "/dev/nothing", "CgroupPermissions": "rwm" }],
        "DeviceCgroupRules": ["c 1:3 r"], "DeviceRequests": [], "KernelMemoryTCP": 0, "MemoryReservation": 0,
        "MemorySwap": 0, "MemorySwappiness": -1, "NanoCpus": 0, "OomKillDisable": false, "Init": false,
        "PidsLimit": 20, "Ulimits": [{ "Name": "nofile", "Soft": 10, "Hard": 20 }], "CpuCount": 0,
        "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
    });
    let (Value::Object(all), Value::Object(more)) = (&mut host, more) else {
        unreachable!("they are objects")
    };
    all.extend(more);
    body["HostConfig"] = host;
    body
}

/// Requests with a body: method, path, body. All are good as they are.
fn bodies() -> Vec<(&'static str, Value)> {
    let create = create_body();
    vec![
        ("/containers/create", create),
        (
            "/containers/box/exec",
            json!({ "AttachStdin": false, "AttachStdout": true, "AttachStderr": true, "ConsoleSize": [24, 80],
                "DetachKeys": "", "Tty": false, "Env": ["A=1"], "Cmd": ["true"], "Privileged": false, "User": "0",
                "WorkingDir": "/" }),
        ),
        (
            "/containers/box/update",
            json!({ "CpuShares": 512, "Memory": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [],
                "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [],
                "BlkioDeviceWriteIOps": [], "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0,
                "CpuRealtimeRuntime": 0, "CpusetCpus": "0", "CpusetMems": "", "Devices": [],
                "DeviceCgroupRules": [], "DeviceRequests": [], "MemoryReservation": 0, "MemorySwap": 0,
                "MemorySwappiness": -1, "NanoCpus": 0, "OomKillDisable": false, "Init": false, "PidsLimit": 20,
                "Ulimits": [], "RestartPolicy": { "Name": "no", "MaximumRetryCount": 0 } }),
        ),
        (
            "/networks/create",
            json!({ "Name": "net", "Driver": "bridge", "Scope": "local", "Internal": true, "Attachable": false,
                "Ingress": false, "ConfigOnly": false, "ConfigFrom": { "Network": "" }, "EnableIPv4": true,
                "EnableIPv6": false, "Options": {}, "Labels": { "a": "b" },
                "IPAM": { "Driver": "default", "Options": {}, "Config": [{ "Subnet": "10.77.0.0/24",
                    "IPRange": "10.77.0.128/25", "Gateway": "10.77.0.1", "AuxiliaryAddresses": {} }] } }),
        ),
        (
            "/volumes/create",
            json!({ "Name": "vol", "Driver": "local", "DriverOpts": {}, "Labels": { "a": "b" } }),
        ),
        (
            "/networks/other/connect",
            json!({ "Container": "box", "EndpointConfig": { "IPAMConfig": { "IPv4Address": "10.78.0.9",
                "IPv6Address": "", "LinkLocalIPs": [] }, "Links": [], "Aliases": ["alias"], "MacAddress": "",
                "NetworkID": "", "EndpointID": "", "Gateway": "", "IPAddress": "", "IPPrefixLen": 0,
                "DriverOpts": {}, "GwPriority": 0 } }),
        ),
        ("/networks/other/disconnect", json!({ "Container": "still", "Force": false })),
    ]
}

/// Every place in a value, the whole one first, as JSON pointers (RFC 6901).
fn places(value: &Value, here: String, all: &mut Vec<String>) {
    all.push(here.clone());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, format!("{here}/{key}"), all);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, format!("{here}/{index}"), all);
            }
        }
        _ => {}
    }
}

/// What is put there, as JSON text.
fn nonsense() -> Vec<String> {
    let mut all: Vec<String> = [
        "null",
        "true",
        "7",
        "-1",
        "1.5",
        "1e300",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "\"\"",
        "\"word\"",
        "\"\\u0000\"",
        "\"../../etc\"",
        "\"\\u00f1 \\n\\u2028\"",
        "\"-1\"",
        "[]",
        "[null]",
        "[[[\"x\"]]]",
        "[7]",
        "[\"\"]",
        "[\"a\",\"a\"]",
        "{}",
        "{\"\":\"\"}",
        "{\"a\":{\"b\":{\"c\":7}}}",
        "{\"a\":[]}",
        "{\"a\":null}",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(format!("{}{}", "[".repeat(2000), "]".repeat(2000)));
    all.push(format!("{}7{}", "{\"a\":".repeat(200), "}".repeat(200)));
    all.push(format!("\"{}\"", "x".repeat(5000)));
    all
}

/// Stands for the nonsense while the body is a value: some of it no value could hold.
const MARK: &str = "\"here goes the nonsense\"";

fn with_nonsense(body: &Value, place: &str, nonsense: &str) -> String {
    let mut body = body.clone();
    match place {
        "" => return nonsense.to_owned(),
        place => {
            *body.pointer_mut(place).expect("a place of this body") =
                Value::String(MARK.trim_matches('"').to_owned())
        }
    }
    body.to_string().replace(MARK, nonsense)
}

/// What was found wrong. All of it is told at the end: mostly there is more than one of a kind.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn expect(&mut self, so: bool, words: impl FnOnce() -> String) {
        if !so {
            self.0.push(words());
        }
    }

    #[track_caller]
    fn none(&self) {
        let first: Vec<&str> = self.0.iter().take(40).map(String::as_str).collect();
        assert!(self.0.is_empty(), "{} findings, such as these:\n{}", self.0.len(), first.join("\n"));
    }
}

/// Whether this may be answered to nonsense: it is the request's fault, in words, or it is harmless.
fn is_an_answer(answer: &Answer) -> bool {
    match answer.status {
        200..300 | 304 => true,
        // 501 is ours: something that Docker has, and this engine not yet.
        400 | 403 | 404 | 409 | 413 | 501 => (1..20_000).contains(&answer.message().trim().len()),
        _ => false,
    }
}

/// Whether a value of this kind can't stand where the other one is, so that 400 is the only answer.
fn is_of_another_kind(proper: &Value, place: &str, nonsense: &str) -> bool {
    let Ok(nonsense) = serde_json::from_str::<Value>(nonsense) else { return true };
    let words = ["/Cmd", "/Entrypoint", "/Shell", "/CapAdd", "/CapDrop", "/OnBuild"];
    match (proper, nonsense) {
        (_, Value::Null) => false,
        (Value::Bool(_), Value::Bool(_)) | (Value::Object(_), Value::Object(_)) => false,
        (Value::Array(_), Value::Array(_)) | (Value::String(_), Value::String(_)) => false,
        (Value::Number(_), Value::Number(number)) => !number.is_i64(),
        // A list stands for the fields of a struct, in order; of this one there is but one.
        (Value::Object(_), Value::Array(_)) if place == "/ConfigFrom" => false,
        // A single word may stand for a list of them.
        (Value::Array(_), Value::String(_)) => !words.iter().any(|end| place.ends_with(end)),
        // What the values of these are nobody looks at.
        (Value::Object(_), _) => !["/ExposedPorts/", "/Volumes/"].iter().any(|set| place.contains(set)),
        _ => true,
    }
}

fn furnish(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "-v", "kept:/kept", "base", "sleep", "1000"]).ok();
    lab.canoa(&["network", "create", "--internal", "--subnet", "10.78.0.0/24", "other"]).ok();
    lab.canoa(&["create", "--name", "still", "--network", "other", "base", "true"]).ok();
}

/// What nonsense has made after all must be whole: it can be looked at, and removed.
fn tidy(lab: &Lab, path: &str, answer: &Answer) {
    let socket = lab.socket();
    let made = answer.json();
    let at = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
    let look = match path {
        _ if answer.status >= 300 => return,
        "/containers/create" => format!("/containers/{}", at("Id")),
        "/networks/create" => format!("/networks/{}", at("Id")),
        "/volumes/create" => format!("/volumes/{}", at("Name")),
        "/networks/other/connect" => {
            let body = br#"{"Container":"box"}"#;
            assert_eq!(ask(&socket, "POST", "/networks/other/disconnect", body).status, 200);
            return;
        }
        _ => return,
    };
    let json = if path == "/containers/create" { "/json" } else { "" };
    let seen = ask(&socket, "GET", &format!("{look}{json}"), b"");
    assert_eq!(seen.status, 200, "{look}: {}", seen.message());
    let removed = ask(&socket, "DELETE", &format!("{look}?force=1&v=1"), b"");
    assert_eq!(removed.status, 204, "{look}: {}", removed.message());
}

#[track_caller]
fn goes_on(lab: &Lab) {
    lab.canoa(&["exec", "box", "echo", "hello"]).ok().says("hello");
    assert!(!lab.daemon_said().contains("panicked"), "the engine panicked");
}

fn nonsense_in_any_field_of_a_body_is_refused_or_harmless(lab: &Lab) {
    furnish(lab);
    let (socket, nonsense) = (lab.socket(), nonsense());
    let rounds = std::env::var("CANOA_FUZZ").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(0);
    let mut findings = Findings::default();
    // The first ones make it as large as it will be.
    let mut before = None;
    for (path, body) in bodies() {
        let good = ask(&socket, "POST", path, body.to_string().as_bytes());
        assert!((200..300).contains(&good.status), "{path}: {} {}", good.status, good.message());
        tidy(lab, path, &good);
        let mut all = Vec::new();
        places(&body, String::new(), &mut all);
        for (number, place) in all.into_iter().enumerate() {
            let proper = if place.is_empty() { &body } else { body.pointer(&place).unwrap() };
            // The first ones everywhere, the others here and there.
            let chosen = |which: usize| rounds > 0 || which < 4 || (number + which).is_multiple_of(6);
            for nonsense in
                nonsense.iter().enumerate().filter(|(which, _)| chosen(*which)).map(|(_, one)| one)
            {
                let text = with_nonsense(&body, &place, nonsense);
                let what = format!("{path} with {} at {place:?}", &nonsense[..nonsense.len().min(80)]);
                let answer = ask(&socket, "POST", path, text.as_bytes());
                let fits = match is_of_another_kind(proper, &place, nonsense) {
                    true => answer.status == 400 && is_an_answer(&answer),
                    false => is_an_answer(&answer),
                };
                findings.expect(fits, || format!("{} {:?} to {what}", answer.status, answer.message()));
                tidy(lab, path, &answer);
            }
        }
        before.get_or_insert_with(|| Footprint::of(lab.daemon_pid()));
    }
    for seed in 1..=rounds {
        in_several_places(lab, seed, &nonsense, &mut findings);
    }
    findings.none();
    before.expect("there are bodies").again(lab.daemon_pid(), 8 << 10);
    goes_on(lab);
}

/// Nonsense in one to four places of a body that a seed chooses; what can be created is started, too.
fn in_several_places(lab: &Lab, seed: u64, nonsense: &[String], findings: &mut Findings) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // xorshift64*: no more is wanted of it than to be the same for the same seed.
    let mut below = |limit: usize| {
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        (random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    };
    let bodies = bodies();
    let (path, body) = &bodies[if below(2) == 0 { 0 } else { below(bodies.len()) }];
    let mut body = body.clone();
    for _ in 0..=below(4) {
        let mut all = Vec::new();
        places(&body, String::new(), &mut all);
        let place = &all[1 + below(all.len() - 1)];
        if let (Some(target), Ok(value)) =
            (body.pointer_mut(place), serde_json::from_str(&nonsense[below(nonsense.len())]))
        {
            *target = value;
        }
    }
    let answer = ask(&lab.socket(), "POST", path, body.to_string().as_bytes());
    findings.expect(is_an_answer(&answer), || {
        format!("seed {seed}: {} {:?} to {path} {body}", answer.status, answer.message())
    });
    if *path == "/containers/create" && answer.status == 201 {
        let id = answer.json()["Id"].as_str().unwrap_or_default().to_owned();
        let started = ask(&lab.socket(), "POST", &format!("/containers/{id}/start"), b"");
        // The kernel may refuse what nobody could know before; but it is said.
        assert!(
            started.status == 204 || !started.message().is_empty(),
            "seed {seed}: {} {body}",
            started.status
        );
    }
    tidy(lab, path, &answer);
}

/// Each with the parameters that it knows.
const ROUTES: &[(&str, &str, &[&str])] = &[
    ("GET", "/containers/json", &["all", "limit", "size", "filters"]),
    ("POST", "/containers/create", &["name", "platform"]),
    ("GET", "/containers/still/json", &["size"]),
    (
        "GET",
        "/containers/box/logs",
        &["stdout", "stderr", "tail", "since", "until", "timestamps", "follow", "details"],
    ),
    ("GET", "/containers/box/top", &["ps_args"]),
    ("GET", "/containers/box/stats", &["stream", "one-shot"]),
    ("GET", "/containers/still/changes", &[]),
    ("GET", "/containers/still/archive", &["path"]),
    ("HEAD", "/containers/still/archive", &["path"]),
    ("PUT", "/containers/still/archive", &["path", "noOverwriteDirNonDir", "copyUIDGID"]),
    ("POST", "/containers/still/attach", &["stream", "logs", "stdout", "stderr", "stdin", "detachKeys"]),
    ("POST", "/containers/still/wait", &["condition"]),
    ("POST", "/containers/still/stop", &["t", "signal"]),
    ("POST", "/containers/still/kill", &["signal"]),
    ("POST", "/containers/box/resize", &["h", "w"]),
    ("POST", "/containers/still/rename", &["name"]),
    ("POST", "/containers/prune", &["filters"]),
    ("GET", "/events", &["since", "until", "filters"]),
    ("GET", "/images/json", &["all", "filters", "digests"]),
    ("POST", "/images/base/tag", &["repo", "tag"]),
    ("DELETE", "/images/nobody", &["force", "noprune"]),
    ("POST", "/images/create", &["fromImage", "tag", "platform", "fromSrc"]),
    ("GET", "/networks", &["filters"]),
    ("POST", "/networks/prune", &["filters"]),
    ("GET", "/volumes", &["filters"]),
    ("POST", "/volumes/prune", &["filters"]),
    ("DELETE", "/volumes/nobody", &["force"]),
    ("GET", "/system/df", &["type"]),
    ("GET", "/info", &[]),
    ("GET", "/_ping", &[]),
];

/// What is put into parameters, percent-encoded.
const VALUES: &[&str] = &[
    "",
    "%00",
    "-1",
    "0",
    "1",
    "99999999999999999999999",
    "1e9",
    "NaN",
    "%ff%fe",
    "%",
    "%zz",
    "..%2f..%2fetc",
    "%5B%5D",
    "%7B%7D",
    "%7B%22x%22:7%7D",
    "%7B%22label%22:%5B%7B%7D%5D%7D",
    "%7B%22until%22:%5B%22soon%22%5D%7D",
    "%7B%22status%22:%5B%22%22%5D%7D",
    "%7B%22name%22:%5B%22(%22%5D%7D",
    "null",
    "+",
    "a&a=b&a",
    "%F0%9F%98%80",
    "2020-13-45T99:00:00Z",
    "-9223372036854775808",
    "9223372036854775807.999999999",
    "-99999h",
    "%0a%0d",
    "*",
];

fn nonsense_in_parameters_is_refused_or_harmless(lab: &Lab) {
    furnish(lab);
    let socket = lab.socket();
    let long = "x".repeat(8000);
    let (mut before, mut findings) = (None, Findings::default());
    for (method, route, parameters) in ROUTES {
        let mut queries =
            vec![String::new(), "unknown=1".to_owned(), "&&==&".to_owned(), format!("x={long}")];
        for parameter in *parameters {
            queries.extend(VALUES.iter().chain([&long.as_str()]).map(|value| format!("{parameter}={value}")));
            queries.push(format!("{parameter}=1&{parameter}=%7B%7D&{parameter}=no"));
        }
        for query in queries {
            let path = format!("{route}?{query}");
            // Some answers go on for ever: it is enough how they begin.
            let status = glance(&socket, &request(method, &path, b""));
            let fine = matches!(status, 101 | 200..300 | 304 | 400 | 403 | 404 | 409 | 501);
            // Pulling fails because there is no network here: that is an honest 500.
            // So says Docker, too, when ps(1) doesn't know what it is asked for.
            let honest = ["/images/create", "/containers/box/top"].contains(route) && status == 500;
            findings
                .expect(fine || honest, || format!("{status} to {method} {}", &path[..path.len().min(200)]));
            if *route == "/containers/still/rename" && status == 204 {
                let name = lab.canoa(&["ps", "-a", "--format", "{{.Names}}"]).ok();
                let name = name.lines().into_iter().find(|name| *name != "box").unwrap().to_owned();
                lab.canoa(&["rename", &name, "still"]).ok();
            }
        }
        if *route == "/containers/prune" {
            lab.canoa(&["rm", "-f", "still"]);
            lab.canoa(&["create", "--name", "still", "base", "true"]).ok();
        }
        before.get_or_insert_with(|| Footprint::of(lab.daemon_pid()));
    }
    findings.none();
    before.expect("there are routes").again(lab.daemon_pid(), 8 << 10);
    goes_on(lab);
}

fn nonsense_as_a_name_or_an_id_is_not_found(lab: &Lab) {
    furnish(lab);
    let (long, mut findings) = ("f".repeat(10_000), Findings::default());
    let names = [
        "nobody",
        "%00",
        "..",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc",
        ".",
        "*",
        "%ff%fe",
        "%F0%9F%98%80",
        "a%20b",
        "-",
        "%",
        "%zz",
        "%2f",
        "sha256:",
        "sha256:zz",
        "box%00",
        "box%0a",
        "BOX",
        long.as_str(),
    ];
    let ends: &[(&str, &str)] = &[
        ("GET", "/containers/{}/json"),
        ("POST", "/containers/{}/start"),
        ("POST", "/containers/{}/stop"),
        ("POST", "/containers/{}/restart"),
        ("POST", "/containers/{}/kill"),
        ("POST", "/containers/{}/pause"),
        ("POST", "/containers/{}/unpause"),
        ("POST", "/containers/{}/wait"),
        ("POST", "/containers/{}/rename?name=x1"),
        ("POST", "/containers/{}/resize?h=1&w=1"),
        ("POST", "/containers/{}/attach?stream=1&stdout=1"),
        ("GET", "/containers/{}/logs?stdout=1"),
        ("GET", "/containers/{}/stats"),
        ("POST", "/containers/{}/update"),
        ("GET", "/containers/{}/changes"),
        ("GET", "/containers/{}/top"),
        ("GET", "/containers/{}/export"),
        ("GET", "/containers/{}/archive?path=/"),
        ("PUT", "/containers/{}/archive?path=/"),
        ("DELETE", "/containers/{}"),
        ("POST", "/containers/{}/exec"),
        ("POST", "/exec/{}/start"),
        ("GET", "/exec/{}/json"),
        ("POST", "/exec/{}/resize?h=1&w=1"),
        ("GET", "/images/{}/json"),
        ("GET", "/images/{}/history"),
        ("POST", "/images/{}/tag?repo=x"),
        ("DELETE", "/images/{}"),
        ("GET", "/networks/{}"),
        ("DELETE", "/networks/{}"),
        ("POST", "/networks/{}/connect"),
        ("GET", "/volumes/{}"),
        ("DELETE", "/volumes/{}"),
    ];
    for (method, end) in ends {
        for name in names {
            let path = end.replace("{}", name);
            let body = if end.ends_with("/exec") { &b"{\"Cmd\":[\"true\"]}"[..] } else { b"{}" };
            let answer = ask(&lab.socket(), method, &path, body);
            let what = format!("{method} {}", &path[..path.len().min(100)]);
            let fits = matches!(answer.status, 400 | 404) && !answer.message().is_empty();
            findings.expect(fits, || {
                format!("{} {} to {what}", answer.status, String::from_utf8_lossy(&answer.body))
            });
        }
    }
    for (method, path) in
        [("BREW", "/info"), ("GET", "/"), ("GET", "//"), ("PATCH", "/containers/json"), ("GET", "/nothing")]
    {
        let answer = ask(&lab.socket(), method, path, b"");
        let fits = answer.status == 404 && answer.message() == "page not found";
        findings.expect(fits, || format!("{answer:?} to {method} {path}"));
    }
    findings.none();
    goes_on(lab);
}

fn versions_that_there_are_not_are_refused(lab: &Lab) {
    furnish(lab);
    let mut findings = Findings::default();
    for (version, status, word) in [
        ("v1.47", 200, ""),
        ("v1.24", 200, ""),
        ("v1.48", 400, "too new"),
        ("v1.23", 400, "too old"),
        ("v0.1", 400, "too old"),
        ("v2.0", 400, "too new"),
        ("v1", 404, "page not found"),
        ("v", 404, "page not found"),
        ("v1.", 404, "page not found"),
        ("v.1", 404, "page not found"),
        ("v-1.2", 404, "page not found"),
        ("v1.47.1", 404, "page not found"),
        ("v99999999999999999999.1", 404, "page not found"),
        ("v1.47/v1.47", 404, "page not found"),
        ("v1.+47", 404, "page not found"),
        ("v1.%34%37", 404, "page not found"),
        ("V1.47", 404, "page not found"),
        ("v1.47/", 404, "page not found"),
    ] {
        let answer = ask(&lab.socket(), "GET", &format!("/{version}/info"), b"");
        let fits = answer.status == status && answer.message().contains(word);
        findings.expect(fits, || format!("{} {:?} to {version}", answer.status, answer.message()));
    }
    findings.none();
    goes_on(lab);
}

fn a_body_that_is_too_large_is_refused(lab: &Lab) {
    furnish(lab);
    let before = Footprint::of(lab.daemon_pid());
    let env = format!("{{\"Image\":\"base\",\"Env\":[\"A={}\"]}}", "x".repeat(40 << 20));
    for path in ["/containers/create", "/containers/box/exec", "/networks/create", "/volumes/create"] {
        let answer = ask(&lab.socket(), "POST", path, env.as_bytes());
        // Who is refused before having said all may not hear the answer.
        assert!(matches!(answer.status, 0 | 400 | 413), "{path}: {} {}", answer.status, answer.message());
    }
    before.again(lab.daemon_pid(), 8 << 10);
    goes_on(lab);
}
