//! From the names of functions to the names of activities, and what names may be.

/// `process_payment` as `ProcessPayment`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('_')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut letters = word.chars();
            match letters.next() {
                Some(first) => first.to_uppercase().chain(letters).collect(),
                None => String::new(),
            }
        })
        .collect()
}

/// Whether a path's last name is written as that of a function.
pub(crate) fn is_function_like(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_lowercase)
}

/// Whether the host takes it as the name of a plugin.
pub(crate) fn is_plugin_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
}

/// Whether it has the shape of a semantic version: three numbers, and what may follow them.
pub(crate) fn is_version(version: &str) -> bool {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let numbers: Vec<&str> = version[..end].split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_give_activities_their_names() {
        let names = ["charge", "process_payment", "_x", "list_2_items"].map(pascal);
        assert_eq!(names, ["Charge", "ProcessPayment", "X", "List2Items"]);
        assert!(is_function_like("charge") && !is_function_like("Charge"));
    }

    #[test]
    fn names_and_versions_are_what_the_host_takes() {
        assert!(is_plugin_name("my-plugin2"));
        for name in ["", "My", "my_plugin", "2nd", "a/b"] {
            assert!(!is_plugin_name(name), "{name}");
        }
        assert!(is_version("1.2.3") && is_version("1.2.3-rc.1+build"));
        for version in ["1.2", "v1.2.3", "1.2.x", ""] {
            assert!(!is_version(version), "{version}");
        }
    }
}
