# SPDX-License-Identifier: Apache-2.0
"""diptych import wikipedia: dumps of all layouts against an independent computation, damaged and
missing dumps, memory, signals."""
import os
import signal
import time
import unittest

import dump
import harness
from harness import FAILED, FORMAT, IO, OK, USAGE, run, snapshot

TABLES = ["page", "redirect", "linktarget", "categorylinks", "pagelinks", "page_props"]


def read_tsv(path):
    """(header, rows) of a .tsv file."""
    lines = harness.read_bytes(path).decode("utf-8").split("\n")
    assert lines.pop() == ""
    return lines[0].split("\t"), [line.split("\t") for line in lines[1:]]


class Dumps(harness.Case):
    """A wiki and its dumps in a folder."""

    @classmethod
    def setUpClass(cls):
        cls.wiki = dump.Wiki()

    def write_dumps(self, layout="new", ending=".sql.gz", tables=None, name="testwiki",
                    date="20240120", wiki=None):
        """Writes dumps; returns their folder."""
        os.makedirs(self.path("dumps"), exist_ok=True)
        for table in tables or TABLES:
            file = "%s-%s-%s%s" % (name, date, table, ending)
            self.write(os.path.join("dumps", file),
                       dump.compressed(file, (wiki or self.wiki).dump(table, layout)))
        return self.path("dumps")

    def imported(self, *options, out="out"):
        """Imports and returns the report."""
        result = self.done(run("import", "wikipedia", "-o", self.path(out), "--json", *options))
        return result.json()

    def check_links(self, wiki, report, out="out"):
        """links.tsv and what was left out."""
        links, left = wiki.expected_links()
        header, rows = read_tsv(self.path(out, "links.tsv"))
        self.assertEqual(header, ["source", "target"])
        self.assertEqual([tuple(map(int, row)) for row in rows], links)
        self.assertGreater(len(links), 500)
        self.assertEqual(report["links"]["dropped"], left)
        self.assertEqual(report["links"]["kept"], len(links))
        self.assertEqual(report["links"]["rows"], len(wiki.links))

    def check_pages(self, wiki, report, out="out"):
        """pages.tsv: ascending ids, titles, categories."""
        header, rows = read_tsv(self.path(out, "pages.tsv"))
        found = {int(r[0]): (r[1], set(r[2].split("|")) - {""}) for r in rows}
        expected = wiki.expected_pages()
        self.assertEqual(header, ["page_id", "title", "categories"])
        self.assertEqual(found, expected)
        self.assertEqual([int(r[0]) for r in rows], sorted(expected))
        self.assertEqual(report["pages"], len(expected))
        self.assertEqual(report["categories"]["of_pages"],
                         sum(len(r[2].split("|")) for r in rows if r[2]))
        self.assertEqual(report["categories"]["used"],
                         len(set().union(*(c for _, c in expected.values()))))


class Layouts(Dumps):
    """Good dumps."""

    def test_all_layouts(self):
        """The old, the mixed and the new one give the same pages and links."""
        for layout in ("old", "mixed", "new"):
            folder = self.write_dumps(layout)
            report = self.imported("--dumps", folder, "--wiki", "testwiki", out=layout)
            self.check_links(self.wiki, report, layout)
            self.check_pages(self.wiki, report, layout)
            self.assertEqual(report["wiki"], "testwiki")
            self.assertEqual(report["date"], "20240120")
            self.assertEqual(report["redirects"]["loops"], 5)
            self.assertEqual(report["redirects"]["elsewhere"], 4)
            self.assertEqual(report["categories"]["hidden"], 3)
            self.assertGreater(report["replaced_titles"], len(dump.BAD))
            self.assertIn("U+FFFD", "".join(report["warnings"]))
        self.assertEqual(harness.read_bytes(self.path("old", "links.tsv")),
                         harness.read_bytes(self.path("new", "links.tsv")))

    def test_old_dumps_need_no_linktarget(self):
        """Nor page_props: the members of Hidden_categories are hidden."""
        folder = self.write_dumps("old", tables=["page", "redirect", "categorylinks", "pagelinks"])
        report = self.imported("--dumps", folder)
        self.check_links(self.wiki, report)
        self.check_pages(self.wiki, report)

    def test_without_page_props(self):
        """The new layout finds hidden categories by their category too; a name can be given."""
        folder = self.write_dumps(tables=TABLES[:5])
        report = self.imported("--dumps", folder)
        self.check_pages(self.wiki, report)
        report = self.imported("--dumps", folder, "--hidden-category", "Hidden categories",
                               out="named")
        self.check_pages(self.wiki, report, "named")
        report = self.imported("--dumps", folder, "--hidden-category", "Nothing", out="none")
        self.assertEqual(report["categories"]["hidden"], 0)
        self.assertEqual(report["categories"]["of_pages_hidden"], 0)
        self.assertIn("no hidden categories", "".join(report["warnings"]))

    def test_files_by_hand_and_endings(self):
        """Each file named, plain, .gz and .zst."""
        names = []
        for i, table in enumerate(TABLES):
            name = table + [".sql", ".sql.gz", ".sql.zst"][i % 3]
            self.write(name, dump.compressed(name, self.wiki.dump(table)))
            names += ["--" + table.replace("_", "-"), self.path(name)]
        report = self.imported(*names)
        self.check_links(self.wiki, report)
        self.check_pages(self.wiki, report)
        self.assertEqual(report["files"]["page"], "page.sql")

    def test_rows_in_any_order(self):
        """Dumps of tables without a primary key's order."""
        wiki = dump.Wiki(seed=5)
        rows = wiki.rows
        wiki.rows = lambda table, layout: rows(table, layout)[::-1]
        for layout in ("old", "new"):
            report = self.imported("--dumps", self.write_dumps(layout, wiki=wiki), out=layout)
            self.check_links(wiki, report, layout)
            self.check_pages(wiki, report, layout)

    def test_other_wikis(self):
        """Other seeds, other wikis."""
        for seed in range(10, 14):
            wiki = dump.Wiki(seed=seed, n=300)
            report = self.imported("--dumps", self.write_dumps(wiki=wiki), out="o%d" % seed)
            self.check_links(wiki, report, "o%d" % seed)
            self.check_pages(wiki, report, "o%d" % seed)

    def test_the_result_can_be_prepared(self):
        """project.yaml as it stands; every page and every link arrives."""
        report = self.imported("--dumps", self.write_dumps())
        prepared = self.done(run("prepare", self.path("out", "project.yaml"), "-o", self.path("d"),
                                 "--json")).json()
        counts = prepared["counts"]
        self.assertEqual(counts["item_rows"], report["pages"])
        self.assertEqual(counts["train"] + counts["validation"] + counts["test"],
                         report["links"]["kept"])

    def test_inspect_shows_what_was_counted(self):
        """The folder carries its report."""
        report = self.imported("--dumps", self.write_dumps())
        found = self.done(run("inspect", self.path("out"), "--json")).json()
        self.assertEqual(found["kind"], "import")
        self.assertEqual(found["links"], report["links"])
        self.assertEqual(sorted(found["parts"]), ["links.tsv", "pages.tsv", "project.yaml"])

    def test_text_for_people(self):
        """What was kept and what was left out."""
        result = self.done(run("import", "wikipedia", "--dumps", self.write_dumps(), "-o",
                               self.path("out")))
        self.assertIn("pages", result.out)
        self.assertIn("to pages that do not exist", result.out)
        self.assertIn("diptych prepare", result.out)
        self.assertIn("warning: ", result.err)

    def test_replace(self):
        """Only with --force, and only an import."""
        folder = self.write_dumps()
        self.imported("--dumps", folder)
        self.refused(USAGE, ["import", "wikipedia", "--dumps", folder, "-o", self.path("out")],
                     "exists", "--force")
        before = snapshot(self.path("out"))
        self.imported("--dumps", folder, "--force")
        self.assertEqual(snapshot(self.path("out")), before)
        self.write("out/mine.txt", "x")
        self.refused(USAGE, ["import", "wikipedia", "--dumps", folder, "-o", self.path("out"),
                             "--force"], "holds other files")


class Choice(Dumps):
    """Which dumps are taken."""

    def refuse(self, *texts, options=(), code=USAGE):
        """An import that must fail."""
        self.refused(code, ["import", "wikipedia", "--dumps", self.path("dumps"), "-o",
                            self.path("out"), "-q", *options], *texts)

    def test_the_newest_whole_date(self):
        """A newer one lacks tables."""
        self.write_dumps(date="20240101")
        self.write_dumps(date="20240201", tables=["page", "redirect"])
        self.write_dumps(date="20230101", tables=["page"])
        self.assertEqual(self.imported("--dumps", self.path("dumps"))["date"], "20240101")
        self.refuse("no whole set of dumps of that date", "testwiki of 20240201 without "
                    "categorylinks, pagelinks", options=["--date", "20240201"])

    def test_no_whole_date(self):
        """The error lists what there is."""
        self.write_dumps(date="20240201", tables=["page", "redirect"])
        self.write_dumps(date="20230101", tables=["pagelinks"])
        self.refuse("no date has page, redirect, categorylinks and pagelinks",
                    "testwiki of 20240201 without categorylinks, pagelinks; testwiki of 20230101 "
                    "without page, redirect, categorylinks")

    def test_several_wikis(self):
        """One must be named."""
        self.write_dumps()
        self.write_dumps(name="zh_min_nanwiki")
        self.refuse("several wikis", "testwiki of 20240120; zh_min_nanwiki of 20240120")
        self.refuse("there is no file WIKI-DATE-TABLE.sql.gz", options=["--wiki", "frwiki"])
        self.assertEqual(
            self.imported("--dumps", self.path("dumps"), "--wiki", "zh_min_nanwiki")["wiki"],
            "zh_min_nanwiki")

    def test_no_dumps(self):
        """No folder, an empty one, no files."""
        self.refuse("dumps", code=IO)
        os.mkdir(self.path("dumps"))
        self.write("dumps/testwiki-20240120-abstract.xml.gz", "x")
        self.refuse("there is no file WIKI-DATE-TABLE.sql.gz")
        self.refused(USAGE, ["import", "wikipedia", "-o", self.path("out")],
                     "no file for page, redirect, categorylinks, pagelinks")
        self.refused(USAGE, ["import", "wikipedia"], "-o DIR is missing")

    def test_linktarget_is_missing(self):
        """It is needed by new layouts only, and that is said at once."""
        self.write_dumps(tables=["page", "redirect", "categorylinks", "pagelinks"])
        self.refuse("there is no file of it", "linktarget")

    def test_usage(self):
        """Commands and flags that there are not."""
        self.refused(USAGE, ["import", "wikipedia", "--dump", "x"], "unknown flag --dump")
        self.refused(USAGE, ["import", "wikipedia", "--dumps", "x", "-o", "y", "--memory", "1"],
                     "memory", "is not allowed")
        self.refused(USAGE, ["import", "wikipedia", "--dumps", "x", "-o", "y", "--train.rate",
                             "1"], "does not use the option")
        for arguments in (["import"], ["import", "netflix"]):
            result = run(*arguments)
            self.assertEqual(result.code, USAGE)
            self.assertIn("wikipedia", result.err)
        self.assertIn("wikipedia", self.done(run("import", "--help")).out)
        self.assertIn("--hidden-category", self.done(run("import", "wikipedia", "--help")).out)


class Damage(Dumps):
    """Dumps that are not whole or not what they should be."""

    def refuse(self, table, data, *texts, code=FORMAT):
        """An import with one file replaced must fail and leave nothing."""
        folder = self.write_dumps(ending=".sql")
        path = self.write(os.path.join("dumps", "testwiki-20240120-%s.sql" % table), data)
        self.refused(code, ["import", "wikipedia", "--dumps", folder, "-o", self.path("out"), "-q"],
                     path, *texts)

    def test_every_table_that_ends_early(self):
        """Cut in the middle, and before mysqldump's last line."""
        for table in TABLES:
            data = self.wiki.dump(table)
            self.refuse(table, data[:len(data) // 2], "the dump ends", "truncated",
                        "table " + table)
            self.refuse(table, data[:data.rindex(b"-- Dump completed")], "without the line")

    def test_damaged_compression(self):
        """A .gz that is cut."""
        folder = self.write_dumps()
        path = self.path("dumps", "testwiki-20240120-pagelinks.sql.gz")
        data = harness.read_bytes(path)
        harness.write_bytes(path, data[:len(data) * 2 // 3])
        self.refused(FORMAT, ["import", "wikipedia", "--dumps", folder, "-o", self.path("out"),
                              "-q"], path, "truncated")

    def test_other_tables_and_columns(self):
        """A file of another table, and one without a column."""
        self.refuse("page", self.wiki.dump("redirect"), "no CREATE TABLE for the table page")
        self.refuse("redirect", self.wiki.dump("redirect").replace(b"rd_title", b"rd_name"),
                    "has no column rd_title; it has rd_from, rd_namespace, rd_name")
        self.refuse("page", b"<html>404</html>", "truncated")

    def test_bad_values(self):
        """Named with byte, table and column."""
        page = self.wiki.dump("page")
        first = page.index(b"VALUES (1,") + len("VALUES (")
        byte = "byte %d of the SQL text: table page, column page_id" % (first - 1)
        self.refuse("page", page[:first] + b"x" + page[first + 1:],
                    "column page_id: a value is expected, not \"x,0,")
        self.refuse("page", page[:first] + b"0" + page[first + 1:], byte,
                    "0 is not a whole number from 1 to 2147483647")
        self.refuse("page", page.replace(b"'Page\\_2'", b"NULL").replace(b"'Page_2'", b"NULL"),
                    "column page_title: NULL where a text must be")
        self.refuse("page", page.replace(b"'Page_2'", b"'Page_1'"),
                    "the title occurs twice in namespace 0")
        ids = sorted(self.wiki.pages)
        again = b"(%d,0,'Again',0,0,0.5,'x',NULL,1,1,NULL,NULL)" % ids[4]
        self.refuse("page", page.replace(b"VALUES (1,", b"VALUES " + again + b",(1,", 1),
                    "column page_id: %d occurs twice" % ids[4])
        self.refuse("page", page.replace(b",0,", b",4,"), "has no page of namespace 0")

    def test_too_little_memory(self):
        """The titles must fit; the error says how much they take."""
        folder = self.write_dumps()
        self.refused(FAILED, ["import", "wikipedia", "--dumps", folder, "-o", self.path("out"),
                              "--memory", "128M", "-q"], "allow at least")

    def test_a_full_disk(self):
        """A limit on the size of files stands for it."""
        folder = self.write_dumps()
        self.refused(IO, ["import", "wikipedia", "--dumps", folder, "-o", self.path("out"), "-q"],
                     "write", preexec_fn=limit_files)


def limit_files():
    """Files of more than 4 KB cannot be written."""
    import resource  # pylint: disable=import-outside-toplevel
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


class Signals(Dumps):
    """Ctrl-C."""

    def test_interrupted_while_reading(self):
        """Nothing is left behind."""
        folder = self.write_dumps(ending=".sql")
        pipe = self.path("dumps", "testwiki-20240120-page.sql")
        os.remove(pipe)
        os.mkfifo(pipe)
        before = sorted(os.listdir(self.folder))
        child = harness.start("import", "wikipedia", "--dumps", folder, "-o", self.path("out"),
                              "-q")
        self.addCleanup(child.kill)
        with open(pipe, "wb") as file:
            data = self.wiki.dump("page")
            head = data[:data.index(b"INSERT")]
            file.write(head)
            file.flush()
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            try:
                for start in range(0, 200000, 1000):
                    file.write(b"INSERT INTO page VALUES " + b",".join(
                        b"(%d,1,'x',0,0,0,'',NULL,1,1,NULL,NULL)" % (start + i + 1)
                        for i in range(1000)) + b";\n")
            except BrokenPipeError:
                pass
        _, err = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 130, err)
        self.assertEqual(sorted(os.listdir(self.folder)), before)


if __name__ == "__main__":
    unittest.main()
