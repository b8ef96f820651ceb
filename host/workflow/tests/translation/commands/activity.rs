//! Activities, ordinary and local.

use temporalio_protos::coresdk::{
    activity_result::{self, ActivityResolution, activity_resolution},
    workflow_activation::{ResolveActivity, workflow_activation_job::Variant as Job},
};

use super::*;

fn local_activity(activity_type: &str) -> ScheduleLocalActivity {
    ScheduleLocalActivity {
        seq: 3,
        activity_type: activity_type.into(),
        headers: map(&["trace"]),
        schedule_to_close_timeout: seconds(5),
        ..Default::default()
    }
}

#[test]
fn activities_are_qualified_signed_and_kept_on_the_lane() {
    for (written, qualified, own) in TYPES {
        let (command, scene) = carried(Command::ScheduleActivity(activity(written)));
        let Command::ScheduleActivity(it) = command else {
            panic!("{command:?}")
        };
        let context = scene.context(&it.headers, ID);
        let plugin = qualified.split('.').next().unwrap();
        assert_eq!(context.scope.to_string(), "acme/production");
        assert_eq!(context.plugin.as_str(), plugin);
        assert_eq!(context.digest, own.then(digest), "{written}");
        let mut expected = activity(qualified);
        expected.task_queue = QUEUE.into();
        expected.headers = it.headers.clone();
        expected.priority = tenants_own();
        assert_eq!(it.headers.len(), 2, "the guest's own header is kept");
        assert_eq!(it, expected);

        let (command, scene) = carried(Command::ScheduleLocalActivity(local_activity(written)));
        let Command::ScheduleLocalActivity(it) = command else {
            panic!("{command:?}")
        };
        let context = scene.context(&it.headers, ID);
        assert_eq!(context.plugin.as_str(), plugin);
        assert_eq!(context.digest, own.then(digest), "{written}");
        let mut expected = local_activity(qualified);
        expected.headers = it.headers.clone();
        assert_eq!(it, expected);
    }
}

#[test]
fn a_run_waits_for_its_local_activities() {
    let (_, scene) = carried(Command::ScheduleActivity(activity("Charge")));
    assert!(!scene.run.waits_locally());
    let (_, mut scene) = carried(Command::ScheduleLocalActivity(local_activity("Charge")));
    assert!(scene.run.waits_locally());
    let completed = activity_result::Success {
        result: Some(json("1")),
    };
    let end = Job::ResolveActivity(ResolveActivity {
        seq: 3,
        result: Some(ActivityResolution {
            status: Some(activity_resolution::Status::Completed(completed)),
        }),
        is_local: true,
    });
    scene.commands(vec![fire(2)]);
    assert!(scene.run.waits_locally());
    scene.commands(vec![end]);
    assert!(!scene.run.waits_locally());
}

#[test]
fn activities_without_a_time_out_or_with_the_hosts_names_are_refused() {
    let ordinary = |change: fn(&mut ScheduleActivity), part: &str| {
        let mut it = activity("Charge");
        change(&mut it);
        check_refused(Command::ScheduleActivity(it), Code::CommandRefused, part);
    };
    ordinary(
        |it| it.start_to_close_timeout = None,
        "set start_to_close_timeout",
    );
    ordinary(
        |it| it.headers = map(&["tenterhook-context"]),
        "tenterhook-context",
    );
    ordinary(
        |it| it.headers = map(&["Tenterhook-Context"]),
        "Tenterhook-Context",
    );
    ordinary(|it| it.activity_type = String::new(), "not a type name");
    ordinary(|it| it.activity_type = "billing.".into(), "not a type name");
    ordinary(|it| it.activity_type = "a\nb".into(), "not a type name");

    let local = |change: fn(&mut ScheduleLocalActivity), part: &str| {
        let mut it = local_activity("Charge");
        change(&mut it);
        check_refused(
            Command::ScheduleLocalActivity(it),
            Code::CommandRefused,
            part,
        );
    };
    local(
        |it| it.schedule_to_close_timeout = None,
        "set start_to_close_timeout",
    );
    local(
        |it| it.headers = map(&["tenterhook-context"]),
        "tenterhook-context",
    );
}

#[test]
fn a_local_activitys_times_are_times() {
    // Core keeps these clocks itself, so no value of them may surprise it.
    for (spoilt, part) in [
        ((i64::MAX, 0), "9223372036854775807 s"),
        ((-1, 0), "-1 s"),
        ((1, -1), "-1 ns"),
        ((1, 1_000_000_000), "1000000000 ns"),
    ] {
        for place in 0..6 {
            let mut it = local_activity("Charge");
            let mut span = it.schedule_to_close_timeout.unwrap_or_default();
            (span.seconds, span.nanos) = spoilt;
            let policy = it.retry_policy.get_or_insert_default();
            let field = match place {
                0 => &mut it.schedule_to_close_timeout,
                1 => &mut it.schedule_to_start_timeout,
                2 => &mut it.start_to_close_timeout,
                3 => &mut it.local_retry_threshold,
                4 => &mut policy.initial_interval,
                _ => &mut policy.maximum_interval,
            };
            *field = Some(span);
            check_refused(
                Command::ScheduleLocalActivity(it),
                Code::CommandRefused,
                part,
            );
        }
    }
}

#[test]
fn a_schedule_to_close_time_out_alone_is_enough() {
    let mut it = activity("Charge");
    it.schedule_to_close_timeout = it.start_to_close_timeout.take();
    carried(Command::ScheduleActivity(it));
    let mut it = local_activity("Charge");
    it.start_to_close_timeout = it.schedule_to_close_timeout.take();
    carried(Command::ScheduleLocalActivity(it));
}
