"""--jq and --jmespath: JMESPath, held against Debian's python3-jmespath."""

import json
import os
import random
import subprocess

import pytest

from cli_program import BUILD

if not os.environ.get("CI"):
    pytest.importorskip("jmespath")
import jmespath  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # strings in backticks

TUNNELS = {"data": [
    {"type": "Tunnel", "id": f"{i}0000000-0000-4000-8000-000000000000",
     "attributes": {"label": label, "state": state, "lifetime_mins": minutes, "listener_port": port,
                    "created_time": f"2026-01-{31 - i}T10:00:00+00:00", "restartable": i % 2 == 0},
     "relationships": {"initiator": {"data": {"id": "a"}}, "listener": {"data": {"id": "b"}}}}
    for i, (label, state, minutes, port) in enumerate([
        ("beam line", "ACTIVE", 360, 8888), (None, "STOPPED", 60, None), ("übung", "ACTIVE", 5.5, 443),
        ("", "AWAITING_LISTENER", -1, None)])],
    "links": {"next": None}, "meta": {"request_id": "r1", "a b": {"c.d": 1}, "empty": {}, "none": []}}

LISTS = {"foo": {"bar": {"baz": "one", "qux": [0, 1, 2]}, "bars": [
             {"name": "a", "n": 1}, {"name": "b", "n": 2}, {"n": 3}]},
         "numbers": [4, 1, 3, -2, 10.25], "strings": ["b", "a", "ü", "B", ""],
         "nested": [[1, [2]], [3], 4, [], [[5]]],
         "mixed": [1, "a", True, None, [], {}, 2.5], "empty_list": [], "empty_hash": {}, "empty_string": "",
         "zero": 0, "yes": True, "no": False, "null": None, "long": list(range(10)), "with-dash": 1, "with space": 2,
         "Ünicode": 3,
         "objects": {"x": {"v": 1, "w": [1, 2]}, "y": {"v": 2}, "z": 5}, "people": [
             {"name": "Ada", "age": 36, "tags": ["a", "b"]}, {"name": "Bob", "age": 20, "tags": []},
             {"name": "Eve", "age": 36, "tags": ["c"]}], "text": "JMESPath", "number": "12.5", "quote": "a'b\"c`d\\e"}

GOOD = {
    "names": (LISTS,
        "foo;foo.bar;foo.bar.baz;foo.nothing;foo.bar.baz.more;nothing.at.all;numbers.x;zero.x;\"foo\";"
        "\"foo\".\"bar\";\"with-dash\";\"with space\";\"\\u00dcnicode\";\"Ünicode\";foo . bar;@;@.foo;_x;"
        "foo\t.bar\n.baz"),
    "indices": (LISTS,
        "numbers[0];numbers[-1];numbers[5];numbers[-5];numbers[-6];numbers[99999999999999999999];foo[0];null[0];"
        "nested[0][1];nested[0][1][0];foo.bars[1].name;long[ 2 ];strings[2];[0];text[0]"),
    "slices": (LISTS,
        "long[0:5];long[:5];long[5:];long[:];long[::];long[::2];long[::-1];long[8:2:-2];long[-3:];long[:-3];"
        "long[-100:100];long[100:-100:-1];long[5:1];long[1:5:-1];long[-1:-5:-1];long[:3:-1];long[3::-1];"
        "long[0:10:3];long[::-3];long[9:0:-4];long[20::-1];long[:20:2];text[0:2];foo[:];people[:2].name;"
        "people[::-1].tags[0];empty_list[:];long[1:2:99999999999];long[::-99999999999];[0:1];[:]"),
    "projections": (LISTS,
        "people[*].name;people[*].tags;people[*].tags[0];people[*].tags[*];people[*].tags[];people[].name;"
        "people[*];foo.bars[*].name;nothing[*];foo[*];objects.*;objects.*.v;objects.*.w[0];objects.*.w[];*;*.*;"
        "*.bar;foo.*;foo.*.baz;empty_hash.*;empty_list[*];people[*].[name,age];people[*].{n: name, a: age};"
        "numbers.*;[*];people[*].*;foo.bars[*].[name];people[*].nothing;people[].tags[].x;people[*].tags | [0];"
        "(people[*].tags)[0];people[*].tags[][0];objects.*.w[*]"),
    "flatten": (LISTS,
        "nested[];nested[][];nested[][][];nested[*][];nested[].x;mixed[];foo[];[];empty_list[];@.nested[];"
        "people[].tags[];people[*].tags[] | length(@);nested[] | [0];[nested, numbers][];[nested, numbers][][]"),
    "filters": (LISTS,
        "people[?age > `30`];people[?age > `30`].name;people[?name == 'Bob'].age;people[?tags];people[?!tags];"
        "people[?age == `36` && name != 'Ada'].name;people[?age < `30` || name == 'Eve'].name;numbers[?@ > `2`];"
        "numbers[?@ >= `3`];numbers[?@ <= `1`];numbers[?@ < `1`];numbers[?@ != `3`];"
        "people[?contains(tags, 'c')].name;people[?starts_with(name, 'E')] | [0].age;foo[?x];nothing[?x];"
        "mixed[?@];mixed[?!@];people[?tags[0] == 'a'];people[?length(tags) > `0`].name;strings[?@ < 'b'];"
        "people[?age].tags[];people[?(age > `20`)];people[?nothing];foo.bars[?name].n;strings[?@ == 'ü'];"
        "nested[?[0]];people[?age == `36`][];people[?age == `36`] | [1];people[?`true`].name;people[?''];"
        "objects[?v]"),
    "booleans": (LISTS,
        "yes && no;yes || no;no || null;null || zero;zero && 'x';!yes;!no;!null;!zero;!empty_list;!foo;"
        "empty_string || 'x';empty_hash || 'x';empty_list || 'x';(yes || no) && no;yes || no && no;!yes || yes;"
        "!(yes && no);yes == `true`;no == `false`;null == `null`;nothing == null;foo == foo;numbers == numbers;"
        "zero == `0`;zero == `false`;text == 'JMESPath';text == `\"JMESPath\"`;`[1, 2]` == `[1, 2]`;"
        "`{\"a\": 1, \"b\": 2}` == `{\"b\": 2, \"a\": 1}`;`{\"a\": 1}` != `{\"a\": 2}`;`1` < `2`;'a' < 'b';"
        "'b' > 'B';yes > no;foo > foo;null < null;!yes == no;yes == no == no;`1` == `1.0`;`[]` == `{}`"),
    "literals": (LISTS,
        "`1`;`-1.5e3`;`\"x\"`;`true`;`null`;`[1, \"a\", {\"b\": null}]`;`{\"a\": [1]}`;` 1 `;'raw';'';'a\\'b';"
        "'a\\nb';'a\\\\b';`\"a\\`b\"`;`\"\\u00e9\"`;`foo`;` foo`;`01`;`1.`;`foo bar`;'ü';'\"';'`';`'`;`\"\\n\"`"),
    "selections": (LISTS,
        "[zero, yes];[foo.bar.baz, nothing];[people[0].name, people[*].age];{a: zero};{a: zero, b: nothing};"
        "{\"a b\": zero, c: {d: yes}};foo.[bar, nothing];foo.{x: bar.baz, y: bars[0].n};null.[a];null.{a: b};"
        "nothing.[zero];{a: zero, a: yes};{a: zero, b: yes, a: no};[[zero], {a: [yes]}];"
        "people[0].[name, tags[0]];[*, zero];[@, @][0].zero;people[*].[name, tags[*]];[zero][0];"
        "{a: people[*].name}.a[1]"),
    "pipes": (LISTS,
        "foo | bar;foo | bar | baz;people[*].name | [0];people[*].tags | [0];people[*].tags | [*][0];"
        "numbers | sort(@) | [0];nothing | foo;foo.bars | [?n > `1`] | [*].n;people | [0] || nothing;"
        "zero | @ | @"),
    "functions": (LISTS,
        "abs(`-1`);abs(numbers[3]);avg(numbers);avg(empty_list);ceil(`1.2`);ceil(`-1.2`);floor(`1.8`);"
        "floor(`-1.8`);contains(strings, 'a');contains(text, 'Path');contains(text, '');contains(numbers, `3`);"
        "contains(mixed, `null`);contains(nested, `[3]`);ends_with(text, 'th');ends_with(text, '');"
        "ends_with('a', 'ba');starts_with(text, 'JM');starts_with(text, 'x');starts_with('a', 'ab');"
        "join(', ', strings);join('', strings);join('x', empty_list);join('-', people[*].name);keys(foo);"
        "keys(empty_hash);keys(objects.x);values(objects);values(empty_hash);length(text);length('üü');"
        "length(numbers);length(foo);length(empty_list);length('');map(&name, people);map(&nothing, people);"
        "map(&age, people) | sum(@);map(&@, numbers);map(&[name, age], people);max(numbers);max(strings);"
        "max(empty_list);min(numbers);min(strings);min(empty_list);max_by(people, &age);"
        "max_by(people, &name).name;min_by(people, &age).name;min_by(people, &name);max_by(empty_list, &x);"
        "min_by(empty_list, &x);merge(foo, objects);merge(`{\"a\": 1}`, `{\"b\": 2, \"a\": 3}`);"
        "merge(empty_hash);merge(`{}`, foo.bar);not_null(nothing, null, zero);not_null(nothing);"
        "not_null(foo.x, people[0].name);reverse(numbers);reverse(text);reverse('aü€😀');reverse(empty_list);"
        "reverse('');sort(numbers);sort(strings);sort(empty_list);sort_by(people, &age)[*].name;"
        "sort_by(people, &name);sort_by(empty_list, &x);sort_by(people, &length(tags))[*].name;sum(numbers);"
        "sum(empty_list);to_array(zero);to_array(numbers);to_array('x');to_array(null);to_number('12');"
        "to_number(number);to_number('x');to_number('-1e3');to_number(yes);to_number(zero);to_number(foo);"
        "to_number(null);to_number('1x');to_string('x');to_string(zero);to_string(numbers);to_string(people[0]);"
        "to_string(null);to_string(yes);to_string(`1.5`);to_string(empty_hash);type(zero);type(text);type(yes);"
        "type(null);type(numbers);type(foo);type(`1.5`);length(keys(@)) > `3`;people[*].length(tags);"
        "people[?max(tags) == 'b'].name;foo.length(@);sum(people[*].age);join(',', sort(people[*].name));"
        "sort_by(people, &to_string(age))[0].name;to_array(people[0].tags)[0];abs(sum(numbers)) > `1` && 'big';"
        "length(quote);people[*].not_null(nothing, name);sort_by(people, &age) | reverse(@) | [0].name;"
        "min(map(&age, people));keys(people[0])[?@ == 'age']"),
    "tunnels": (TUNNELS,
        "data[0].id;data[*].id;data[].attributes.state;data[?attributes.state=='ACTIVE'].id;"
        "data[?attributes.state=='ACTIVE'] | [0].id;data[*].{id: id, label: attributes.label};"
        "data[?attributes.label == `null`].id;data[?attributes.label].attributes.label;length(data);"
        "data[?contains(['ACTIVE', 'STOPPED'], attributes.state)].[id, attributes.state];"
        "sort_by(data, &attributes.created_time)[-1].id;"
        "data[?attributes.listener_port > `500`].attributes.label;max_by(data, &attributes.lifetime_mins).id;"
        "data[*].relationships.*.data.id;data[*].relationships.*.data.id[];meta.\"a b\".\"c.d\";"
        "meta.empty || 'none';meta.none[0];links.next;data[::2].id;data[-1].attributes;"
        "join(' ', data[?attributes.label].attributes.label);data[?starts_with(id, '10')].id;"
        "data[*].[id, attributes.lifetime_mins][];[data[0].id, meta.request_id];"
        "data[?attributes.restartable].id"),
}

BAD = {
    "syntax": (LISTS,
        "; ;.;foo.;.foo;foo..bar;foo[;foo[0;foo];[;{;};(;);(foo;foo);foo bar;foo[0;foo[a];foo[0:1:2:3];foo[0 1];"
        "long[::0];[?;[?foo;[?];foo.[;foo.[];foo.[a;foo.{;foo.{};foo.{a;foo.{a:;foo.{a:b;foo.{a:b,};{a};"
        "{'a': b};{a b};[a,];[a b];[,a];foo[*;foo.*bar;foo*;**;foo.`1`;foo.'a';foo.1;foo.@;foo||;||foo;foo &&;"
        "&& foo;foo & bar;foo |;| foo;foo = bar;=;foo ==;== foo;foo !;!;!!;foo !bar;foo > > bar;'foo;foo';\"foo;"
        "foo\";`foo;foo`;\"\\x\";`\"\\x\"`;#;foo#;$;foo-bar;-;- 1;foo[-];foo[1.5];foo[\"a\"];abs(;abs(a;"
        "\"abs\"(a);foo.bar();(abs)(a);abs)(;:;,;foo,bar;a.b.;foo[?a==];foo\\bar;ü;people[*]name;[0]foo;"
        "people[*]{a: b};@foo;@@;`1``2`;'a''b'"),
    "functions": (LISTS,
        "nothing_such(@);abs();abs(zero, zero);length();join(',');keys(foo, foo);sort_by(people);map(&a);"
        "to_array();not_null();merge();Length(@);items(@);group_by(people, &age)"),
    "types": (LISTS,
        "abs(text);abs(null);abs(yes);avg(strings);avg(zero);ceil(text);floor(foo);contains(foo, 'a');"
        "contains(zero, 'a');contains(null, 'a');ends_with(zero, 'a');ends_with('a', zero);"
        "starts_with(null, 'a');join(zero, strings);join(',', numbers);join(',', mixed);join(',', text);"
        "keys(numbers);keys(null);values(text);length(zero);length(null);length(yes);map(&a, foo);max(mixed);"
        "max(text);min(people);min(`[1, \"a\"]`);sort(mixed);sort(foo);sort(`[true]`);sum(strings);sum(mixed);"
        "reverse(zero);reverse(null);merge(zero);sort_by(people, &tags);sort_by(people, &nothing);"
        "sort_by(foo, &a);sort_by(foo.bars, &name);max_by(people, &tags);min_by(foo.bars, &name);"
        "max_by(text, &a);people[*].abs(name)"),
}


class Ours:
    """The program that answers expressions, a line for each."""

    def __init__(self):
        program = BUILD / "tests" / "programs" / "query"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        bufsize=1)

    def ask(self, expression, document):
        self.process.stdin.write(json.dumps({"expression": expression, "document": document}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture
def ours():
    program = Ours()
    yield program
    program.end()


def plain(value):
    """The value with whole numbers as integers, in a text in which true is not 1."""
    def whole(item):
        if isinstance(item, float) and item.is_integer() and abs(item) < 2 ** 53:
            return int(item)
        if isinstance(item, list):
            return [whole(each) for each in item]
        return {key: whole(each) for key, each in item.items()} if isinstance(item, dict) else item
    return json.dumps(whole(value))


def theirs(expression, document):
    """The result, or the exit status that its error means."""
    try:
        return {"result": jmespath.search(expression, document)}
    except jmespath.exceptions.JMESPathTypeError:
        return {"status": 1}
    except (jmespath.exceptions.JMESPathError, ValueError):
        return {"status": 2}


def compare(ours, expression, document):
    expected, found = theirs(expression, document), ours.ask(expression, document)
    if "status" in expected:
        assert found.get("status") == expected["status"], (expression, expected, found)
        assert len(found["message"]) > 20 and "\n" not in found["message"], (expression, found)
    else:
        assert "result" in found, (expression, expected, found)
        assert plain(found["result"]) == plain(expected["result"]), expression
    return expected


@pytest.mark.parametrize("name", GOOD)
def test_results_are_those_of_python(ours, name):
    document, text = GOOD[name]
    listed = text.split(";")
    assert len(listed) >= 10
    for expression in listed:
        assert "result" in compare(ours, expression, document), expression


@pytest.mark.parametrize("name", BAD)
def test_errors_are_those_of_python(ours, name):
    document, text = BAD[name]
    lenient = {"[a b]", "{a b}", "(abs)(a)"}
    for expression in text.split(";"):
        if expression not in lenient:
            assert "status" in compare(ours, expression, document), expression
    assert ours.ask("merge(foo, null)", document)["status"] == 1
    for expression in ("abs(zero yes)", "abs(zero,)", "{a: b c: d}"):  # which python3-jmespath lets pass
        assert ours.ask(expression, document)["status"] == 2


class Maker:
    """Expressions by the grammar, at random; shapes in which python3-jmespath is known to err are left out."""
    NAMES = ["foo", "bar", "people", "name", "age", "tags", "numbers", "nested", "objects", "mixed",
             "text", "null", "\"x\""]
    TAILS = ["[0]", "[-1]", "[*]", "[]", ".*", "[?age > `30`]", "[?@]", "[::2]", "[1:]", ".name", ".tags", ".v",
             ".[name, age]", ".{a: name, b: tags}", "[?contains(tags, 'a')]", "[?!name]", "[::-1]"]
    CALLS = ["length({})", "to_array({})", "type({})", "to_string({})", "not_null({}, `1`)", "keys({})", "values({})",
             "reverse({})", "sort({})", "max({})", "map(&name, {})", "sort_by({}, &age)", "sum({})", "join(',', {})",
             "min_by({}, &name)", "merge({}, `{{\"k\": 1}}`)", "to_number({})"]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def make(self, depth):
        choose = self.random.random()
        if depth == 0 or choose < 0.1:
            return self.random.choice([*self.NAMES, "@", "`2`", "'text'", "`[1, [2, 3]]`"])
        if choose < 0.55:
            text, sliced = self.make(depth - 1), False
            for _ in range(self.random.randrange(1, 4)):
                tail = self.random.choice(self.TAILS)
                # An index is taken for the list's beside a slice's own projection, see the next test.
                if not (":" in tail and (text.endswith(("]", ")")) or sliced)):
                    text += tail
                    sliced = sliced or ":" in tail
            return text if text[0] not in "!" else f"({text})"
        if choose < 0.7:
            return self.random.choice(self.CALLS).format(self.make(depth - 1))
        if choose < 0.8:
            return f"{self.make(depth - 1)} | {self.make(depth - 1)}"
        if choose < 0.88:
            return f"({self.make(depth - 1)} {self.random.choice(['||', '&&'])} {self.make(depth - 1)})"
        if choose < 0.94:
            return f"[{self.make(depth - 1)}, {self.make(depth - 1)}]"
        return f"!({self.make(depth - 1)})"


@pytest.mark.limit(300)
def test_random_expressions(ours):
    maker, results = Maker(13), 0
    # to_string() writes UTF-8, theirs escapes it.
    document = json.loads(json.dumps(LISTS).replace("\\u00fc", "u").replace("\\u00dc", "U"))
    for _ in range(3000):
        results += "result" in compare(ours, maker.make(4), document)
    assert results > 1000


def test_a_slice_after_an_index_projects(ours):
    """By the specification; python3-jmespath 1.0 forgets it."""
    assert ours.ask("a[0][0:2].b", {"a": [[{"b": 1}, {"b": 2}, {"b": 3}]]}) == {"result": [1, 2]}


def test_a_function_that_is_not_there_is_named(ours):
    assert "'group_by' is not supported" in ours.ask("group_by(@, &a)", {})["message"]


@pytest.mark.parametrize("expression, document, status", [
    ("(" * 5000 + "a" + ")" * 3000, {}, 2), ("a" * 8193, {}, 2), ("[" * 101 + "a" + "]" * 101, {}, 2),
    ("!" * 8000 + "a", {}, 2), ("[@,@]" + "|[@,@]" * 60, {}, 1),
    ("to_string([@,@])" + "|to_string([@,@])" * 40, "x", 1),
    ("join('',[@,@])" + "|join('',[@,@])" * 40, "xyz", 1), ("[@,@]" + "|[@,@]" * 40 + "|[0]==[1]", {}, 1),
    ("[@,@]" + "|[@,@][]" * 40, {}, 1)])
def test_what_grows_is_bounded(ours, expression, document, status):
    assert ours.ask(expression, document)["status"] == status


def test_long_ones_within_the_bounds(ours):
    deep = document = {}
    for _ in range(900):
        deep["a"] = {}
        deep = deep["a"]
    assert ours.ask(".".join(["a"] * 900), document) == {"result": {}}
    assert ours.ask("a" + " || a" * 1500, {"a": 1}) == {"result": 1}
    assert ours.ask("length(@)", list(range(100000))) == {"result": 100000}
    assert ours.ask("sort_by(@, &n)[0].n", [{"n": 50000 - i} for i in range(50000)]) == {"result": 1}
