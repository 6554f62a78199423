"""Settings of an experiment: the committed examples, and every way to get a file wrong."""

import pytest

from trainer import config
from trainer.errors import ConfigError
from trainer.paper.tables import TABLES


@pytest.mark.parametrize("path", sorted(config.EXAMPLES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_committed_example_can_be_read_by_name(path):
    experiment = config.read(path.stem)
    assert experiment == config.read(path)
    assert path.read_text().startswith("# "), "an example says what it is"


def test_the_papers_settings_are_the_papers():
    text = config.read("paper-table1-xlnet-base").text
    assert (text.encoder, text.max_tokens, text.hidden, text.dropout, text.l2) == (
        "xlnet-base-cased",
        48,
        768,
        0.2,
        0.03,
    )
    assert (text.rate, text.epochs, text.class_power, text.frozen, text.plain_tweets) == (3e-5, 1, 1.0, 0, False)
    fused = config.read("paper-table4-bert")
    assert (fused.protocol, fused.folds, fused.repeats) == ("shuffled", 10, 3)
    assert (fused.text.epochs, fused.fusion.epochs, fused.fusion.block, fused.fusion.apart) == (7, 7, "feed-forward", 0)
    assert (fused.speech.features, fused.speech.attention) == ("is09", 128)


def test_every_line_of_the_tables_that_is_the_papers_own_can_be_run():
    own = [row for table in TABLES.values() for row in table.rows if row.config]
    assert len(own) == 4 + 4 + 2 + 4
    for row in own:
        experiment = row.experiment()
        assert getattr(experiment, row.branch) is not None
        assert row.transcripts in {None, experiment.transcripts}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[speech]\nfeatures = 'smell'", "speech.features"),
        ("[speech]\nfeature = 'is09'", "feature"),
        ("[speech]\nepochs = 'many'", "speech.epochs"),
        ("[speech]\nepochs = 0", "speech.epochs"),
        ("[text]\nrate = -1.0", "text.rate"),
        ("protocol = 'hope'\n[text]", "protocol"),
        ("repeats = 0\n[text]", "repeats"),
        ("folds = -3\n[text]", "folds"),
        ("folds = 0\n[text]", "folds"),
        ("seed = -1\n[text]", "seed"),
        ("held_percent = 100\n[text]", "held_percent"),
        ("error_rate = 1.5\n[text]", "error_rate"),
        ("[text]\ndropout = 1.5", "text.dropout"),
        ("[text]\nmax_tokens = 0", "text.max_tokens"),
        ("[text]\nfrozen = -1", "text.frozen"),
        ("[text]\nrate = nan", "text.rate"),
        ("[speech]\nsmoothing = -0.1", "speech.smoothing"),
        ("[speech]\ncopies = -1", "speech.copies"),
        ("[speech]\n[text]\n[fusion]\napart = 1.0", "fusion.apart"),
        ("[speech]\n[fusion]", "[fusion] needs both"),
        ("seed = 1", "nothing to train"),
        ("[speech", "not TOML"),
        ("speech = 3", "speech"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, text, named):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.toml") as error:
        config.read(path)
    assert named in str(error.value)


def test_a_file_that_is_not_there_names_the_examples():
    with pytest.raises(ConfigError, match="paper-table4-bert"):
        config.read("no-such")


def test_whole_numbers_are_numbers(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[text]\nrate = 1\nl2 = 0\n")
    assert config.read(path).text.l2 == 0.0
