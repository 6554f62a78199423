"""Settings of an experiment: the committed examples, and every way to get a file wrong."""

from dataclasses import replace

import pytest

from trainer import config
from trainer.config import Experiment, Fusion, Speech, Text
from trainer.errors import ConfigError
from trainer.paper.tables import TABLES


@pytest.mark.parametrize("path", sorted(config.EXAMPLES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_committed_example_can_be_read_by_name(path):
    experiment = config.read(path.stem)
    assert experiment == config.read(path)
    assert path.read_text().startswith("# "), "an example says what it is"


def test_the_papers_settings_are_the_papers():
    text = config.read("paper-table1-xlnet-base").text
    assert (text.encoder, text.max_tokens, text.hidden_size, text.dropout, text.l2) == (
        "xlnet-base-cased",
        48,
        768,
        0.2,
        0.03,
    )
    assert (text.learning_rate, text.epochs, text.class_weight_power, text.frozen_layers, text.normalize_tweets) == (
        3e-5,
        1,
        1.0,
        0,
        False,
    )
    fused = config.read("paper-table4-bert")
    assert (fused.protocol, fused.folds, fused.repeats) == ("shuffled", 10, 3)
    assert (fused.text.epochs, fused.fusion.epochs, fused.fusion.block, fused.fusion.fusion_holdout) == (
        7,
        7,
        "feed-forward",
        0,
    )
    assert (fused.speech.features, fused.speech.attention_size) == ("is09", 128)


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
        ("[text]\nlearning_rate = -1.0", "text.learning_rate"),
        ("protocol = 'hope'\n[text]", "protocol"),
        ("repeats = 0\n[text]", "repeats"),
        ("folds = -3\n[text]", "folds"),
        ("folds = 0\n[text]", "folds"),
        ("seed = -1\n[text]", "seed"),
        ("validation_percent = 100\n[text]", "validation_percent"),
        ("asr_error_rate = 1.5\n[text]", "asr_error_rate"),
        ("[text]\ndropout = 1.5", "text.dropout"),
        ("[text]\nmax_tokens = 0", "text.max_tokens"),
        ("[text]\nfrozen_layers = -1", "text.frozen_layers"),
        ("[text]\nlearning_rate = nan", "text.learning_rate"),
        ("[speech]\nlabel_smoothing = -0.1", "speech.label_smoothing"),
        ("[speech]\naugmentations = -1", "speech.augmentations"),
        ("[speech]\n[text]\n[fusion]\nfusion_holdout = 1.0", "fusion.fusion_holdout"),
        ("[speech]\n[fusion]", "[fusion] needs both"),
        ("seed = 1", "nothing to train"),
        ("[speech", "not TOML"),
        ("speech = 3", "speech"),
        ("[speech.data]\ncorpora = ['ravdess']\nprotocol = 'luck'", "protocol"),
        ("[speech.data]\ncorpora = ['ravdess']\nprotocol = 'speaker'\nfolds = 0", "speech.data.folds"),
        ("[speech.data]\ncorpora = ['ravdess']\nprotocol = 'speaker'\n[text]", "corpora of its own"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path, text, named):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.toml") as error:
        config.read(path)
    assert named in str(error.value)


def test_a_file_that_is_not_there_names_the_examples():
    with pytest.raises(ConfigError, match="paper-table4-bert"):
        config.read("no-such")


def test_a_file_that_extends_another_has_what_differs(tmp_path):
    first = "seed = 3\n[text]\nepochs = 2\nl2 = 0.1\n[text.data]\ncorpora = ['a', 'b']\nprotocol = 'corpus'\n"
    (tmp_path / "first.toml").write_text(first)
    mine = tmp_path / "mine.toml"
    mine.write_text(f"extends = '{tmp_path}/first.toml'\n[text]\nepochs = 5\n[text.data]\nmost = 7\n")
    found = config.read(mine)
    assert (found.seed, found.text.epochs, found.text.l2) == (3, 5, 0.1)
    assert (found.text.data.corpora, found.text.data.most) == (("a", "b"), 7)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("'nowhere.toml'", "nowhere.toml: cannot be read"),
        ("'mine.toml'", "extends another"),
        ("'broken.toml'", "not TOML"),
        ("3", "name of a file"),
    ],
)
def test_a_file_that_extends_what_cannot_be_read_is_refused(tmp_path, monkeypatch, first, said):
    monkeypatch.chdir(tmp_path)
    for name, text in (("mine", f"extends = {first}\n[text]\n"), ("broken", "[text\n")):
        (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        config.read("mine.toml")


def test_the_larger_ear_differs_from_the_bundle_in_the_voice_and_in_fusion():
    bundle, larger = config.read(config.BUNDLE), config.read("multi-base")
    assert larger.text == bundle.text and larger.speech.encoder == "whisper-base"
    assert larger.corpora["speech"].corpora == bundle.corpora["speech"].corpora
    assert larger.fusion == config.Fusion(
        "product-of-experts", epochs=4, batch_size=64, weight_decay=1e-2, label_smoothing=0.05
    )


def test_a_whole_number_is_accepted_where_a_fraction_is_expected(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[text]\nlearning_rate = 1\nl2 = 0\n")
    assert config.read(path).text.l2 == 0.0


OLD = """
held_percent = 20
error_rate = 0.1
[speech]
attention = 64
copies = 2
batch = 8
rate = 1e-3
decay = 0.5
class_power = 0.5
smoothing = 0.2
[text]
hidden = 64
frozen = 1
plain_tweets = true
misheard = 0.3
[fusion]
block = "evidence"
apart = 0.25
"""


def test_names_of_version_0_1_are_read_with_a_warning(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text(OLD)
    with pytest.warns(DeprecationWarning, match=r"old\.toml: \[speech\].*rate is now learning_rate"):
        found = config.read(path)
    assert (found.validation_percent, found.asr_error_rate) == (20, 0.1)
    assert found.speech == config.Speech(
        attention_size=64,
        augmentations=2,
        batch_size=8,
        learning_rate=1e-3,
        weight_decay=0.5,
        class_weight_power=0.5,
        label_smoothing=0.2,
    )
    assert found.text == config.Text(hidden_size=64, frozen_layers=1, normalize_tweets=True, asr_error_rate=0.3)
    assert found.fusion == config.Fusion(block="product-of-experts", fusion_holdout=0.25)


def test_an_old_and_a_new_name_of_one_setting_are_refused(tmp_path):
    path = tmp_path / "both.toml"
    path.write_text("[text]\nrate = 1e-3\nlearning_rate = 1e-4\n")
    with pytest.warns(DeprecationWarning), pytest.raises(ConfigError, match="old and its new name"):
        config.read(path)


def test_committed_examples_have_no_old_names(recwarn):
    for name in config.examples():
        config.read(name)
    assert not [w for w in recwarn if issubclass(w.category, DeprecationWarning)]


def test_a_branch_alone_is_divided_as_its_own_corpora_are():
    bundle = config.read(config.BUNDLE)
    data = bundle.corpora["speech"]
    assert len(data.corpora) == 9 and {"ravdess", "emodb"} < set(data.corpora)
    assert len(data.plain) == 6 and all(name.startswith("plain_speech/") for name in data.plain)
    speech, text = bundle.alone("speech"), bundle.alone("text")
    assert (speech.protocol, speech.folds, speech.text, speech.fusion) == ("corpus", None, None, None)
    assert (text.protocol, text.folds, text.speech) == ("corpus", None, None)
    assert len(bundle.corpora["text"].corpora) == 7 and "meld" in bundle.corpora["text"].corpora
    assert bundle.speech is not None
    assert speech.speech == replace(bundle.speech, data=None) and not speech.corpora


def test_the_bundles_configuration_is_taken_where_its_corpora_lie(tmp_path):
    (tmp_path / "ravdess").mkdir()
    assert config.of_bundle(tmp_path, None) is None
    (tmp_path / "meld").mkdir()
    (tmp_path / "text").mkdir()
    for name in config.read(config.BUNDLE).corpora["text"].corpora[1:]:
        assert config.of_bundle(tmp_path, "text") is None
        (tmp_path / name).write_text("")
    assert config.of_bundle(tmp_path, "text") == config.read(config.BUNDLE).only("text")
    for name in config.read(config.BUNDLE).corpora["speech"].corpora:
        assert config.of_bundle(tmp_path, "speech") is None
        (tmp_path / name).mkdir(exist_ok=True)
    assert config.of_bundle(tmp_path, None) == config.read(config.BUNDLE)


SPOKEN = """
[speech]
unlabelled_weight = {weight}
[speech.data]
corpora = ["ravdess", "emodb"]
plain = ["books"]
protocol = "{protocol}"
"""


def test_plain_corpora_are_read(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text(SPOKEN.format(weight=0.4, protocol="corpus"))
    found = config.read(path)
    assert found.corpora["speech"].plain == ("books",)
    assert found.speech is not None and found.speech.unlabelled_weight == 0.4


def test_plain_corpora_that_would_teach_nothing_are_refused(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text(SPOKEN.format(weight=0, protocol="speaker"))
    with pytest.raises(ConfigError, match=r"speech\.data\.plain teaches nothing while speech\.unlabelled_weight is 0"):
        config.read(path)


def test_a_negative_weight_of_what_has_no_label_is_refused(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text(SPOKEN.format(weight=-0.1, protocol="speaker"))
    with pytest.raises(ConfigError, match="unlabelled_weight"):
        config.read(path)


def test_plain_corpora_of_text_are_refused(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text('[text]\n[text.data]\ncorpora = ["meld"]\nplain = ["books"]\nprotocol = "official"\n')
    with pytest.raises(ConfigError, match=r"text\.data\.plain: recordings without labels are for speech"):
        config.read(path)


def test_plain_corpora_do_not_count_among_those_that_are_left_out_in_turn(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text(SPOKEN.format(weight=0.4, protocol="corpus").replace(', "emodb"', ""))
    with pytest.raises(ConfigError, match="name two at least"):
        config.read(path)


ALL = Experiment(speech=Speech(), text=Text(), fusion=Fusion())


def test_the_command_line_changes_what_it_names_and_nothing_else():
    changed = config.changed(
        ALL,
        {"folds": 3, "seed": 0, "protocol": None},
        {"speech": {"features": "is09"}, "text": {"encoder": "x", "warm_start": None}},
    )
    assert changed == replace(
        ALL, folds=3, seed=0, speech=replace(Speech(), features="is09"), text=replace(Text(), encoder="x")
    )
    assert config.changed(ALL, {"seed": None}, {"text": {"encoder": None}}) == ALL


def test_a_setting_of_a_branch_that_is_not_trained_is_refused():
    voice = ALL.only("speech")
    with pytest.raises(ConfigError, match="encoder: of text, which is not trained"):
        config.changed(voice, {}, {"text": {"encoder": "x"}})
    assert config.changed(voice, {}, {"text": {"encoder": None}}) == voice


@pytest.mark.parametrize(
    ("top", "parts", "named"),
    [
        ({"protocol": "hope"}, {}, "protocol"),
        ({"folds": 0}, {}, "folds = 0"),
        ({"repeats": 0}, {}, "repeats = 0"),
        ({"asr_error_rate": 1.0}, {}, "asr_error_rate"),
        ({"seed": -1}, {}, "seed"),
        ({}, {"speech": {"features": "smell"}}, "features"),
    ],
)
def test_wrong_values_on_the_command_line_are_named(top, parts, named):
    with pytest.raises(ConfigError, match=f"the command line.*{named}"):
        config.changed(ALL, top, parts)


def test_one_branch_is_trained_without_fusion():
    assert ALL.only(None) == ALL
    assert ALL.only("speech") == Experiment(speech=Speech())
    assert ALL.only("text") == Experiment(text=Text())


def test_the_default_trains_what_a_corpus_has():
    assert config.default(speech=True, text=False) == Experiment(speech=Speech())
    assert config.default(speech=False, text=True).speech is None
    both = config.default(speech=True, text=True)
    assert both.fusion is not None and both.fusion.block == "product-of-experts"


def test_protocol_and_folds_of_the_command_line_hold_for_the_one_branch_that_has_corpora_of_its_own():
    speech = config.changed(config.read(config.BUNDLE).only("speech"), {"protocol": "corpus", "folds": 2}, {})
    assert (speech.alone("speech").protocol, speech.alone("speech").folds) == ("corpus", 2)


def test_a_protocol_for_two_branches_with_corpora_of_their_own_is_refused():
    with pytest.raises(ConfigError, match="protocol: speech and text have one each here; name a branch with --only"):
        config.changed(config.read(config.BUNDLE), {"protocol": "corpus"}, {})


SPEECH_DATA = '[speech.data]\ncorpora = ["a", "b"]\nprotocol = "{}"\n'
TEXT_DATA = (
    '[text.data]\ncorpora = ["c"]\nprotocol = "{}"\nvalidation_percent = {}\n[fusion]\nblock = "product-of-experts"\n'
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (SPEECH_DATA.format("official") + TEXT_DATA.format("official", 10), "speech.data.protocol = official"),
        (SPEECH_DATA.format("speaker") + TEXT_DATA.format("session", 10), "fusion learns from validation text"),
        (SPEECH_DATA.format("speaker") + TEXT_DATA.format("official", 0), "fusion learns from validation text"),
        ('[speech.data]\ncorpora = ["a"]\nprotocol = "corpus"', "speech.data.protocol = corpus"),
        (
            (SPEECH_DATA.format("speaker") + TEXT_DATA.format("official", 10)).replace(
                "product-of-experts", "attention"
            ),
            "use product-of-experts or gated-experts",
        ),
        ('[speech]\n[text]\n[fusion]\nblock = "gated-experts"', "need corpora of their own"),
    ],
)
def test_corpora_that_fusion_cannot_learn_from_are_refused_before_anything_is_read(tmp_path, text, named):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        config.read(path)
