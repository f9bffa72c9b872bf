# SPDX-License-Identifier: Apache-2.0
"""A small wiki with everything that makes imports hard, its dumps as mysqldump writes them, and
what an import must make of it, computed from the wiki and not from the dumps."""
import gzip
import random

import harness

CATEGORY = 14

COLUMNS = {
    "page": [("page_id", "int(8) unsigned NOT NULL AUTO_INCREMENT"),
             ("page_namespace", "int(11) NOT NULL DEFAULT 0"),
             ("page_title", "varbinary(255) NOT NULL DEFAULT ''"),
             ("page_is_redirect", "tinyint(1) unsigned NOT NULL DEFAULT 0"),
             ("page_is_new", "tinyint(1) unsigned NOT NULL DEFAULT 0"),
             ("page_random", "double unsigned NOT NULL DEFAULT 0"),
             ("page_touched", "binary(14) NOT NULL"),
             ("page_links_updated", "varbinary(14) DEFAULT NULL"),
             ("page_latest", "int(8) unsigned NOT NULL DEFAULT 0"),
             ("page_len", "int(8) unsigned NOT NULL DEFAULT 0"),
             ("page_content_model", "varbinary(32) DEFAULT NULL"),
             ("page_lang", "varbinary(35) DEFAULT NULL")],
    "redirect": [("rd_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                 ("rd_namespace", "int(11) NOT NULL DEFAULT 0"),
                 ("rd_title", "varbinary(255) NOT NULL DEFAULT ''"),
                 ("rd_interwiki", "varbinary(32) DEFAULT NULL"),
                 ("rd_fragment", "varbinary(255) DEFAULT NULL")],
    "linktarget": [("lt_id", "bigint(20) unsigned NOT NULL AUTO_INCREMENT"),
                   ("lt_namespace", "int(11) NOT NULL"),
                   ("lt_title", "varbinary(255) NOT NULL")],
    "page_props": [("pp_page", "int(8) unsigned NOT NULL"),
                   ("pp_propname", "varbinary(60) NOT NULL"),
                   ("pp_value", "blob NOT NULL"),
                   ("pp_sortkey", "float DEFAULT NULL")],
    "pagelinks": {
        "old": [("pl_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                ("pl_namespace", "int(11) NOT NULL DEFAULT 0"),
                ("pl_title", "varbinary(255) NOT NULL DEFAULT ''"),
                ("pl_from_namespace", "int(11) NOT NULL DEFAULT 0")],
        "mixed": [("pl_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                  ("pl_namespace", "int(11) NOT NULL DEFAULT 0"),
                  ("pl_title", "varbinary(255) NOT NULL DEFAULT ''"),
                  ("pl_from_namespace", "int(11) NOT NULL DEFAULT 0"),
                  ("pl_target_id", "bigint(20) unsigned DEFAULT NULL")],
        "new": [("pl_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                ("pl_from_namespace", "int(11) NOT NULL DEFAULT 0"),
                ("pl_target_id", "bigint(20) unsigned NOT NULL")]},
    "categorylinks": {
        "old": [("cl_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                ("cl_to", "varbinary(255) NOT NULL DEFAULT ''"),
                ("cl_sortkey", "varbinary(230) NOT NULL DEFAULT ''"),
                ("cl_timestamp", "timestamp NOT NULL DEFAULT current_timestamp()"),
                ("cl_type", "enum('page','subcat','file') NOT NULL DEFAULT 'page'")],
        "mixed": [("cl_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                  ("cl_to", "varbinary(255) NOT NULL DEFAULT ''"),
                  ("cl_sortkey", "varbinary(230) NOT NULL DEFAULT ''"),
                  ("cl_type", "enum('page','subcat','file') NOT NULL DEFAULT 'page'"),
                  ("cl_target_id", "bigint(20) unsigned DEFAULT NULL")],
        "new": [("cl_from", "int(8) unsigned NOT NULL DEFAULT 0"),
                ("cl_sortkey", "varbinary(230) NOT NULL DEFAULT ''"),
                ("cl_timestamp", "timestamp NOT NULL DEFAULT current_timestamp()"),
                ("cl_type", "enum('page','subcat','file') NOT NULL DEFAULT 'page'"),
                ("cl_target_id", "bigint(20) unsigned NOT NULL")]},
}

ESCAPES = {0: b"\\0", 10: b"\\n", 13: b"\\r", 26: b"\\Z", 34: b'\\"', 39: b"\\'", 92: b"\\\\"}


def quoted(text):
    """Bytes as mysqldump quotes them."""
    return b"'" + b"".join(ESCAPES.get(c, bytes([c])) for c in text) + b"'"


def value(cell):
    """A value as mysqldump writes it."""
    if cell is None:
        return b"NULL"
    return quoted(cell) if isinstance(cell, bytes) else str(cell).encode()


def sql(table, columns, rows, each=97):
    """The dump of a table: statements of some rows each."""
    lines = [b"-- MySQL dump 10.19  Distrib 10.3.38-MariaDB, for debian-linux-gnu (x86_64)\n--",
             b"-- Host: 10.64.48.13    Database: testwiki",
             b"/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n",
             b"DROP TABLE IF EXISTS `%s`;" % table.encode(),
             b"CREATE TABLE `%s` (" % table.encode()]
    lines += [b"  `%s` %s," % (name.encode(), kind.encode()) for name, kind in columns]
    lines += [b"  PRIMARY KEY (`%s`)\n) ENGINE=InnoDB DEFAULT CHARSET=binary;"
              % columns[0][0].encode(),
              b"\n--\n-- Dumping data for table `%s`\n--\n" % table.encode(),
              b"/*!40000 ALTER TABLE `%s` DISABLE KEYS */;" % table.encode()]
    for start in range(0, len(rows), each):
        cells = [b"(" + b",".join(map(value, row)) + b")" for row in rows[start:start + each]]
        lines.append(b"INSERT INTO `%s` VALUES %s;" % (table.encode(), b",".join(cells)))
    lines += [b"/*!40000 ALTER TABLE `%s` ENABLE KEYS */;" % table.encode(),
              b"\n-- Dump completed on 2024-01-20 10:31:05\n"]
    return b"\n".join(lines)


TITLES = ["Rock_'n'_roll", 'The_"A"_team', "C:\\WINDOWS", "AC/DC_(band),_live", "Köln", "日本",
          "100%_sure", "a;b", "--", "/*_no_comment_*/", "\\'", "x" * 255, "),(1,2);", "😀_smile",
          "O''Neil", "NULL", "0x41", "Z\x1az"]
BAD = [b"Bad_\xff\xe9_title", b"\x80", b"Cut_\xe6\x97"]


class Wiki:
    """pages: id -> (namespace, title, is redirect); titles are bytes."""

    def __init__(self, seed=1, n=400):
        self.draw = random.Random(seed)
        self.pages = {}
        self.redirects = {}
        self.links = []
        self.members = []
        self.hidden = set()
        self.make_pages(n)
        self.make_redirects()
        self.make_categories()
        self.make_links()
        self.make_targets()

    def add(self, space, title, is_redirect=False):
        """A page with the next id; some ids are left out."""
        page = max(self.pages, default=0) + self.draw.choice([1, 1, 1, 2, 900])
        self.pages[page] = (space, title, is_redirect)
        return page

    def make_pages(self, n):
        """Articles, and pages of other namespaces with the same titles."""
        names = [t.encode() for t in TITLES] + BAD + [b"Page_%d" % i for i in range(n)]
        for title in names:
            self.add(0, title)
            if self.draw.random() < 0.2:
                self.add(self.draw.choice([1, 2, 4, 10]), title)

    def make_redirects(self):
        """To pages, in chains, in a circle, to themselves, to nothing, elsewhere, without a row."""
        articles = [t for s, t, _ in self.pages.values() if s == 0]
        for i in range(80):
            page = self.add(0, b"Redirect_%d" % i, True)
            self.redirects[page] = (0, self.draw.choice(articles), None, None)
        for i in range(1, 9):
            page = self.add(0, b"Chain_%d" % i, True)
            target = b"Page_7" if i == 1 else b"Chain_%d" % (i - 1)
            self.redirects[page] = (0, target, b"", b"Part")
        for i in range(3):
            page = self.add(0, b"Circle_%d" % i, True)
            self.redirects[page] = (0, b"Circle_%d" % ((i + 1) % 3), None, None)
        others = {b"Self": (0, b"Self", None, None), b"Into": (0, b"Circle_0", None, None),
                  b"Nothing": (0, b"Does_not_exist", None, None),
                  b"Talk": (1, b"Page_1", None, None), b"Other_wiki": (0, b"Page_1", b"de", b""),
                  b"Without": None}
        for title, target in others.items():
            page = self.add(0, title, True)
            if target:
                self.redirects[page] = target
        # Rows left over from edits: of an article, and of a page that is gone.
        self.redirects[self.find(0, b"Page_3")] = (0, b"Page_4", None, None)
        self.redirects[987654321] = (0, b"Page_4", None, None)

    def make_categories(self):
        """Some with a page, some without, some hidden."""
        names = [b"Cats_%d" % i for i in range(25)] + ["Städte_'A'".encode(), b"Bad_\xfe"]
        with_page = {name: self.add(CATEGORY, name) for name in names if self.draw.random() < 0.7}
        hidden = [b"Stubs", b"All_articles", b"Cats_hidden"]
        for name in hidden:
            page = self.add(CATEGORY, name)
            self.hidden.add(page)
            self.members.append((page, b"Hidden_categories", b"subcat"))
        self.add(CATEGORY, b"Hidden_categories")
        for page, (space, _, is_redirect) in self.pages.items():
            if space in (0, 4) and (not is_redirect or self.draw.random() < 0.3):
                for name in self.draw.sample(names + hidden, self.draw.randrange(5)):
                    self.members.append((page, name, b"page"))
        for name, page in with_page.items():
            self.members.append((page, self.draw.choice(names), b"subcat"))
        self.members.append((987654321, names[0], b"page"))
        self.members.append((0, names[0], b"page"))
        self.members = sorted(set(self.members))

    def make_links(self):
        """From everywhere to everywhere."""
        titles = [(s, t) for s, t, _ in self.pages.values()]
        titles += [(0, b"Red_link_%d" % i) for i in range(30)] + [(1, b"Page_1"), (14, b"Stubs")]
        for page, (space, title, is_redirect) in self.pages.items():
            for _ in range(self.draw.randrange(1 if is_redirect else 12)):
                self.links.append((page, space) + self.draw.choice(titles))
            if self.draw.random() < 0.1:
                self.links.append((page, space, 0, title))
        self.links.append((987654321, 0, 0, b"Page_1"))
        self.links.append((0, 0, 0, b"Page_1"))
        for target in (b"Page_7", b"Chain_1", b"Chain_8"):
            self.links.append((self.find(0, b"Page_5"), 0, 0, target))
        for target in (b"Self", b"Circle_1", b"Into", b"Nothing", b"Talk", b"Other_wiki",
                       b"Without"):
            self.links.append((self.find(0, b"Page_6"), 0, 0, target))
        self.links = sorted(set(self.links))

    def make_targets(self):
        """Ids of titles, with large gaps, up to more than 2^31."""
        names = sorted({l[2:] for l in self.links} | {(CATEGORY, m[1]) for m in self.members})
        self.draw.shuffle(names)
        self.targets = {}
        at = 0
        for name in names:
            at += self.draw.choice([1, 2, 63, 64, 65, 7000000])
            self.targets[name] = at

    def find(self, space, title):
        """The id of a page."""
        return [p for p, (s, t, _) in self.pages.items() if (s, t) == (space, title)][0]

    # ---- dumps ----

    def rows(self, table, layout):
        """The rows of a table."""
        if table == "page":
            return [(p, s, t, int(r), 0, "0.77858%d" % (p % 97), b"20240101000000",
                     None if p % 3 else b"20240101000000", p * 7, 1234, b"wikitext", None)
                    for p, (s, t, r) in sorted(self.pages.items())]
        if table == "redirect":
            return [(p,) + row for p, row in sorted(self.redirects.items())]
        if table == "linktarget":
            return sorted((i,) + name for name, i in self.targets.items())
        if table == "page_props":
            rows = [(p, b"hiddencat", b"", None) for p in self.hidden]
            rows += [(p, b"page_image", b"It's.jpg", "1.5") for p in self.pages if p % 5 == 0]
            return sorted(rows, key=lambda row: row[:2])
        if table == "pagelinks":
            return self.link_rows(layout)
        return self.member_rows(layout)

    def link_rows(self, layout):
        """Rows of pagelinks."""
        if layout == "old":
            return [(p, s, t, f) for p, f, s, t in self.links]
        if layout == "new":
            return sorted((p, f, self.targets[s, t]) for p, f, s, t in self.links)
        return [(p, s, t, f, None) if i % 3 else (p, 0, b"", f, self.targets[s, t])
                for i, (p, f, s, t) in enumerate(self.links)]

    def member_rows(self, layout):
        """Rows of categorylinks."""
        key, when = b"KEY\n\x00'", b"2024-01-01 00:00:00"
        if layout == "old":
            return [(p, c, key, when, k) for p, c, k in self.members]
        if layout == "new":
            return sorted((p, key, when, k, self.targets[CATEGORY, c])
                          for p, c, k in self.members)
        return [(p, c, key, k, None) if i % 2 else (p, b"", key, k, self.targets[CATEGORY, c])
                for i, (p, c, k) in enumerate(self.members)]

    def dump(self, table, layout="new"):
        """The SQL of a table in a layout: old, mixed or new."""
        columns = COLUMNS[table]
        return sql(table, columns[layout] if isinstance(columns, dict) else columns,
                   self.rows(table, layout))

    # ---- what must come out ----

    def follow(self, title):
        """The page that a title of namespace 0 leads to, or what it is instead."""
        ids = {t: p for p, (s, t, _) in self.pages.items() if s == 0}
        seen = set()
        while title in ids and self.pages[ids[title]][2]:
            if title in seen:
                return "redirect"
            seen.add(title)
            target = self.redirects.get(ids[title])
            if target is None or target[0] != 0 or target[2]:
                return "redirect"
            title = target[1]
        return ids.get(title, "redirect" if seen else "missing")

    def expected_links(self):
        """(sorted links, counts of those left out)."""
        kept, left = set(), dict.fromkeys(
            ["from_namespace", "from_missing", "from_redirect", "to_namespace", "to_missing",
             "to_redirect", "to_self", "repeated"], 0)
        for page, from_space, space, title in self.links:
            target = self.follow(title)
            if from_space != 0:
                left["from_namespace"] += 1
            elif page not in self.pages:
                left["from_missing"] += 1
            elif self.pages[page][2]:
                left["from_redirect"] += 1
            elif space != 0:
                left["to_namespace"] += 1
            elif target in ("missing", "redirect"):
                left["to_" + target] += 1
            elif target == page:
                left["to_self"] += 1
            elif (page, target) in kept:
                left["repeated"] += 1
            else:
                kept.add((page, target))
        return sorted(kept), left

    def expected_pages(self):
        """id -> (title, set of categories) as they stand in pages.tsv."""
        hidden = {self.pages[p][1] for p in self.hidden}
        found = {p: (plain(t), set()) for p, (s, t, r) in self.pages.items() if s == 0 and not r}
        for page, category, _ in self.members:
            if page in found and category not in hidden:
                found[page][1].add(plain(category))
        return found


def plain(title):
    """A title for people; every byte that is in no character becomes U+FFFD."""
    text = ""
    while title:
        try:
            return text + title.decode("utf-8").replace("_", " ")
        except UnicodeDecodeError as error:
            text += title[:error.start].decode("utf-8").replace("_", " ") + "\ufffd"
            title = title[error.start + 1:]
    return text


def compressed(name, data):
    """Data as a file of this name holds it."""
    if name.endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return harness.zstd(data) if name.endswith(".zst") else data
