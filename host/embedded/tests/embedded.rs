//! The embedded server with the real program: it starts, survives its child's death with its
//! data, ends with its host, and says why when it cannot start.
//!
//! The program is found as `tenterhook dev` finds it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use temporalio_client::tonic::IntoRequest as _;
use temporalio_client::{Connection, ConnectionOptions};
use temporalio_protos::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use temporalio_protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use temporalio_protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, StartWorkflowExecutionRequest,
};
use tenterhook_embedded::{
    Config, EmbeddedTemporal, Places, StartError, Status, TemporalProgram, Ui,
};
use url::Url;

/// The most that a process killed, or a server started again, may take.
const SOON: Duration = Duration::from_secs(60);
/// Names the data folder to the host process of `a_killed_host_takes_its_server_along`.
const HOST_DATA: &str = "TENTERHOOK_TEST_HOST_DATA";

async fn program() -> TemporalProgram {
    let found = TemporalProgram::find(&Places::from_environment()).await;
    found.expect("a temporal program; `cargo xtask temporal` installs one")
}

async fn config(data: &Path) -> Config {
    Config {
        ui: Ui::Off,
        ..Config::new(program().await, data)
    }
}

async fn connect(temporal: &EmbeddedTemporal) -> Connection {
    let target = Url::parse(&temporal.url()).expect("a URL");
    let options = ConnectionOptions::new(target)
        .identity("test")
        .dns_load_balancing(None)
        .build();
    Connection::connect(options).await.expect("connects")
}

async fn start_workflow(connection: &Connection, id: &str) {
    let request = StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: "Nothing".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "nobody".to_owned(),
            ..TaskQueue::default()
        }),
        request_id: id.to_owned(),
        ..StartWorkflowExecutionRequest::default()
    };
    let started = connection
        .workflow_service()
        .start_workflow_execution(request.into_request())
        .await;
    started.expect("starts a workflow");
}

async fn describe_workflow(connection: &Connection, id: &str) -> String {
    let request = DescribeWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: id.to_owned(),
            run_id: String::new(),
        }),
    };
    let described = connection
        .workflow_service()
        .describe_workflow_execution(request.into_request())
        .await;
    let info = described
        .expect("describes")
        .into_inner()
        .workflow_execution_info;
    info.and_then(|info| info.r#type).expect("a type").name
}

fn pid(status: &Status) -> Pid {
    let Status::Running { pid, .. } = status else {
        panic!("not running: {status:?}")
    };
    raw(*pid)
}

fn raw(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("small")).expect("not zero")
}

/// Waits for a process of this or another parent to be gone. There is no event for a process
/// that is no child of this one, so it is looked for until the time is over.
async fn gone(pid: Pid) -> bool {
    let deadline = Instant::now() + SOON;
    while test_kill_process(pid).is_ok() {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

#[tokio::test]
async fn it_answers_survives_its_childs_death_with_its_data_and_stops() {
    let data = tempfile::tempdir().expect("a folder");
    let temporal = EmbeddedTemporal::start(config(data.path()).await)
        .await
        .expect("starts");
    let mut status = temporal.status();
    let first = pid(&status.borrow_and_update());
    let environment = std::fs::read(format!("/proc/{}/environ", first.as_raw_nonzero()));
    let home = format!("HOME={}\0", data.path().display());
    assert_eq!(String::from_utf8_lossy(&environment.expect("Linux")), home);
    let connection = connect(&temporal).await;
    start_workflow(&connection, "kept").await;

    let request = ListSearchAttributesRequest {
        namespace: "default".to_owned(),
    };
    let listed = connection
        .operator_service()
        .list_search_attributes(request.into_request())
        .await;
    let attributes = listed.expect("lists").into_inner().custom_attributes;
    for name in ["Tenant", "Environment", "Plugin"] {
        assert!(attributes.contains_key(name), "{name} in {attributes:?}");
    }

    kill_process(first, Signal::KILL).expect("kills the child");
    let restarting = status.wait_for(|status| matches!(status, Status::Restarting { .. }));
    let seen = tokio::time::timeout(SOON, restarting)
        .await
        .expect("in time")
        .expect("watched")
        .clone();
    let Status::Restarting { cause, .. } = seen else {
        panic!("{seen:?}")
    };
    assert!(cause.contains("SIGKILL"), "{cause}");
    let running = status.wait_for(|status| matches!(status, Status::Running { restarts: 1, .. }));
    let again = tokio::time::timeout(SOON, running)
        .await
        .expect("in time")
        .expect("watched")
        .clone();
    assert_ne!(pid(&again), first);
    // The same address, the same data, and it takes new work at once.
    let connection = connect(&temporal).await;
    assert_eq!(describe_workflow(&connection, "kept").await, "Nothing");
    start_workflow(&connection, "after").await;

    temporal.stop().await;
    assert!(
        test_kill_process(pid(&again)).is_err(),
        "the process has ended when stop returns"
    );
    assert_eq!(*status.borrow(), Status::Stopped);

    // A second host goes on with what the first one kept.
    let temporal = EmbeddedTemporal::start(config(data.path()).await)
        .await
        .expect("starts again");
    assert_eq!(
        describe_workflow(&connect(&temporal).await, "after").await,
        "Nothing"
    );
    let last = pid(&temporal.status().borrow());
    drop(temporal);
    assert!(gone(last).await, "a dropped server is killed");
}

#[tokio::test]
async fn the_ui_is_served_beside_it() {
    let data = tempfile::tempdir().expect("a folder");
    let config = Config {
        ui: Ui::On(0),
        ..config(data.path()).await
    };
    let temporal = EmbeddedTemporal::start(config).await.expect("starts");
    let ui = Url::parse(&temporal.ui_url().expect("an address")).expect("a URL");
    let address = ui.socket_addrs(|| None).expect("an address");
    assert_ne!(address[0], temporal.address());
    tokio::net::TcpStream::connect(address[0])
        .await
        .expect("the UI listens");
    temporal.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_with_the_servers_own_words() {
    let data = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let frontend_port = taken.local_addr().expect("an address").port();
    let config = Config {
        frontend_port,
        ..config(data.path()).await
    };
    let error = EmbeddedTemporal::start(config)
        .await
        .expect_err("the port is taken");
    assert!(matches!(error, StartError::Exited { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("address already in use") && said.contains("temporal.log"),
        "{said}"
    );

    let mut config = Config::new(TemporalProgram::at("/no/such/temporal"), data.path());
    config.ui = Ui::Off;
    let error = EmbeddedTemporal::start(config)
        .await
        .expect_err("no program")
        .to_string();
    assert!(error.contains("/no/such/temporal"), "{error}");
}

/// Not a test of its own: the host that the next test starts and kills.
#[tokio::test]
#[ignore = "started by a_killed_host_takes_its_server_along"]
async fn host_process() {
    let Some(data) = std::env::var_os(HOST_DATA) else {
        return;
    };
    let temporal = EmbeddedTemporal::start(config(Path::new(&data)).await)
        .await
        .expect("starts");
    let status = temporal.status().borrow().clone();
    // On a line of its own, after what the test harness writes, and not captured by it.
    writeln!(
        std::io::stdout(),
        "\nserver {}",
        pid(&status).as_raw_nonzero()
    )
    .expect("writes");
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_host_takes_its_server_along() {
    let data = tempfile::tempdir().expect("a folder");
    let mut host = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "host_process", "--ignored", "--nocapture"])
        .env(HOST_DATA, data.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts a host");
    let lines = BufReader::new(host.stdout.take().expect("piped")).lines();
    let server = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("server ")?.parse().ok())
        .expect("the host says its server");
    let server = raw(server);
    test_kill_process(server).expect("the server runs");
    host.kill().expect("kills the host");
    host.wait().expect("reaps it");
    assert!(gone(server).await, "the server outlived its host");
}
