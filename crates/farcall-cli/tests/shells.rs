//! Completions and the manual, from outside.

mod kit;

use kit::*;

#[test]
fn completions_for_every_shell() {
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef farcall"),
        ("fish", "complete -c farcall"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let output = farcall(&["completions", shell]);
        assert_eq!((code(&output), err(&output)), (0, ""), "{shell}");
        for part in [part, "doctor", "drain-time"] {
            assert!(out(&output).contains(part), "{shell} without {part}");
        }
        // What is not built is not offered.
        assert!(!out(&output).contains("registry"), "{shell}");
    }
    let output = farcall(&["completions", "tcsh"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("elvish"), "{}", err(&output));
}

#[cfg(unix)]
#[test]
fn bash_reads_its_completions() {
    let script = farcall(&["completions", "bash"]);
    let ask = "COMP_WORDS=(farcall do); COMP_CWORD=1; _farcall farcall do farcall; \
               echo \"${COMPREPLY[@]}\"";
    let all = format!("{}\n{ask}", out(&script));
    let Ok(said) = std::process::Command::new("bash").args(["-c", &all]).output() else {
        println!("SKIPPED: no bash here");
        return;
    };
    assert_eq!(out(&said).trim(), "doctor", "{}", err(&said));
}

#[test]
fn the_manual() {
    let output = farcall(&["man"]);
    assert_eq!((code(&output), err(&output)), (0, ""));
    assert!(out(&output).contains(".TH farcall 1"), "{}", out(&output));
    let folder = std::env::temp_dir().join(format!("farcall-man-{}", std::process::id()));
    let output = farcall(&["man", folder.to_str().expect("UTF-8")]);
    assert_eq!((code(&output), out(&output), err(&output)), (0, "", ""));
    for (page, part) in
        [("farcall", "farcall\\-call(1)"), ("farcall-call", "curl"), ("farcall-serve", "limit")]
    {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).expect(page);
        assert!(text.contains(part), "{page}: {text}");
    }
    let pages = std::fs::read_dir(&folder).expect("it is there").count();
    std::fs::remove_dir_all(&folder).expect("it is ours");
    assert!(pages >= 8, "{pages} pages");
    let output = farcall(&["man", "/dev/null/man"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("cannot write the manual"), "{}", err(&output));
}
