//! Completions and manual pages, printed and installed.

use crate::cli::binary::{Folder, code, out, talk};

#[test]
fn each_shell_gets_completions_that_name_the_commands() {
    let folder = Folder::new("completions");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let printed = folder.autogit(&["completions", shell], &[]);
        assert_eq!((code(&printed), talk(&printed).as_str()), (0, ""), "{shell}");
        assert!(out(&printed).contains("explain"), "{shell}");
    }
    let neither = folder.autogit(&["completions"], &[]);
    assert_eq!(code(&neither), 2);
}

#[test]
fn completions_are_installed_where_the_shell_looks_and_the_place_is_told() {
    let folder = Folder::new("completions-install");
    let home = folder.path().to_string_lossy().into_owned();
    let places = [
        ("bash", ".local/share/bash-completion/completions/autogit"),
        ("fish", ".config/fish/completions/autogit.fish"),
        ("zsh", ".zfunc/_autogit"),
    ];
    for (shell, place) in places {
        let login = format!("/usr/bin/{shell}");
        let variables = [("HOME", home.as_str()), ("SHELL", login.as_str())];
        let installed = folder.autogit(&["completions", "install"], &variables);
        let path = folder.path().join(place);
        assert_eq!(code(&installed), 0, "{}", talk(&installed));
        assert!(out(&installed).starts_with(&format!("wrote {}\n", path.display())));
        let printed = folder.autogit(&["completions", shell], &[]);
        assert_eq!(std::fs::read_to_string(path).unwrap(), out(&printed));
    }
}

#[test]
fn completions_that_have_no_place_are_refused_with_what_to_do() {
    let folder = Folder::new("completions-nowhere");
    let home = folder.path().to_string_lossy().into_owned();
    let set = [("HOME", home.as_str())];
    let cases = [
        (&[][..], &set[..], "`autogit completions install bash`"),
        (&["elvish"][..], &set[..], "`autogit completions elvish` prints them"),
        (&["bash"][..], &[][..], "`autogit completions bash` prints them"),
    ];
    for (words, variables, hint) in cases {
        let words = [&["completions", "install"], words].concat();
        let refused = folder.autogit(&words, variables);
        assert_eq!(code(&refused), 2);
        assert!(talk(&refused).contains(hint), "{}", talk(&refused));
    }
    std::fs::write(folder.path().join(".local"), "a file").unwrap();
    let refused = folder.autogit(&["completions", "install", "bash"], &[("HOME", &home)]);
    assert_eq!(code(&refused), 1);
    assert!(talk(&refused).contains("cannot be written"), "{}", talk(&refused));
}

#[test]
fn manual_pages_are_printed_and_written_for_each_command() {
    let folder = Folder::new("man");
    let printed = folder.autogit(&["man"], &[]);
    assert_eq!(code(&printed), 0);
    assert!(out(&printed).contains(".TH autogit 1"), "{}", out(&printed));

    let written = folder.autogit(&["man", "--into", "pages"], &[]);
    assert_eq!(code(&written), 0, "{}", talk(&written));
    for name in ["autogit", "autogit-explain", "autogit-token-rotate"] {
        let page = std::fs::read_to_string(folder.path().join(format!("pages/{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
}
