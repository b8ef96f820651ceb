//! Which of flags, variables and files wins.

use super::*;

struct Given<'a> {
    url: Option<&'a str>,
    token: Option<&'a str>,
    data_dir: Option<&'a Path>,
    variables: &'a [(&'a str, &'a str)],
}

fn check(given: &Given<'_>) -> Result<(String, String), String> {
    let arguments = ConnectionArguments {
        url: given.url.map(Into::into),
        token: given.token.map(Into::into),
        data_dir: given.data_dir.map(Into::into),
    };
    let variable = |name: &str| {
        given
            .variables
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| OsString::from(value))
    };
    match arguments.resolve_in(&variable, &Console::default()) {
        Ok(connection) => Ok((connection.url.to_string(), connection.token)),
        Err(failure) => Err(failure.code().to_owned()),
    }
}

const NOTHING: Given<'static> = Given {
    url: None,
    token: None,
    data_dir: None,
    variables: &[],
};

fn ok(url: &str, token: &str) -> Result<(String, String), String> {
    Ok((url.to_owned(), token.to_owned()))
}

#[test]
fn what_stands_nearest_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join(API_ADDRESS_FILE), "http://0.0.0.0:7001\n").expect("written");
    std::fs::write(path.join(ADMIN_TOKEN_FILE), "tth_folder_x\n").expect("written");
    let text = path.to_str().expect("UTF-8");
    let both = [
        (URL_VARIABLE, "http://127.0.0.1:9"),
        (TOKEN_VARIABLE, "tth_variable_x"),
    ];

    let from_folder = ok("http://127.0.0.1:7001/", "tth_folder_x");
    assert_eq!(
        check(&Given {
            data_dir: Some(path),
            variables: &both,
            ..NOTHING
        }),
        from_folder
    );
    assert_eq!(
        check(&Given {
            variables: &[(DATA_DIR_VARIABLE, text)],
            ..NOTHING
        }),
        from_folder
    );
    assert_eq!(
        check(&Given {
            data_dir: Some(path),
            token: Some("t"),
            ..NOTHING
        }),
        ok("http://127.0.0.1:7001/", "t")
    );
    assert_eq!(
        check(&Given {
            variables: &both,
            ..NOTHING
        }),
        ok("http://127.0.0.1:9/", "tth_variable_x")
    );
    assert_eq!(
        check(&Given {
            url: Some("http://localhost:5/api"),
            variables: &both,
            ..NOTHING
        }),
        ok("http://localhost:5/api", "tth_variable_x")
    );
    assert_eq!(
        check(&Given {
            variables: &[(URL_VARIABLE, ""), (DATA_DIR_VARIABLE, text)],
            ..NOTHING
        }),
        from_folder,
        "an empty variable is none"
    );
}

#[test]
fn a_folders_token_goes_to_its_own_host_only() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(ADMIN_TOKEN_FILE), "tth_folder_x\n").expect("written");
    let text = folder.path().to_str().expect("UTF-8");
    let given = Given {
        url: Some("http://127.0.0.1:9"),
        variables: &[(DATA_DIR_VARIABLE, text)],
        ..NOTHING
    };
    assert_eq!(check(&given), Err("token-missing".to_owned()));
    let given = Given {
        data_dir: Some(folder.path()),
        ..NOTHING
    };
    assert_eq!(check(&given), Err("host-unknown".to_owned()));
}

#[test]
fn urls_that_are_none_are_refused() {
    for url in [
        "",
        "127.0.0.1:80",
        "ftp://host",
        "http://",
        "http://a?b",
        "http://u:p@host",
        "mailto:x",
    ] {
        let given = Given {
            url: Some(url),
            token: Some("t"),
            ..NOTHING
        };
        assert_eq!(check(&given), Err("usage".to_owned()), "{url}");
    }
}
