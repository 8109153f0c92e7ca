from spine_tf import flag_help


def _lines(*facts):
    return flag_help.page("tool", "\n    Does a thing.\n", facts).splitlines()


def test_a_page():
    found = _lines(
        flag_help.Fact("epochs", "Passes.", "INT", default="3"),
        flag_help.Fact("data_dir", "Where from.", "TEXT", is_required=True),
        flag_help.Fact("augment", "Whether to.", "", default="yes"),
        flag_help.Fact("work_dir", "Where to.", "TEXT"),
    )
    assert found == [
        "usage: tool --flag=value ...",
        "",
        "Does a thing.",
        "",
        "flags:",
        "  --epochs=INT  (default: 3)",
        "      Passes.",
        "  --data_dir=TEXT  (required)",
        "      Where from.",
        "  --augment  or  --noaugment  (default: yes)",
        "      Whether to.",
        "  --work_dir=TEXT",
        "      Where to.",
    ]


def test_few_choices_stand_beside_the_flag_and_many_below_it():
    few = flag_help.Fact("size", "How large.", "NAME", choices=("tiny", "small"))
    many = flag_help.Fact("task", "Which.", "NAME", choices=tuple(f"task{i:02d}" for i in range(9)))
    found = _lines(few, many)
    assert "  --size=tiny|small" in found
    assert "  --task=NAME" in found
    assert found[-1].startswith("      Which. One of task00, task01, ") and "task08." in found[-1]


def test_text_is_wrapped_and_words_stay_whole():
    text = "--flag-with-hyphens " * 12
    found = _lines(flag_help.Fact("a", text.strip(), "TEXT"))[6:]
    assert len(found) == 3 and max(map(len, found)) <= 96
    assert all(word == "--flag-with-hyphens" for line in found for word in line.split())
