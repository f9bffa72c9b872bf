# SPDX-License-Identifier: Apache-2.0
"""Writes dumps of a made-up Wikipedia, as large a share of the English one as is asked for:

    python3 bench/make_dump.py --scale 0.1 --out DIR [--layout new|old] [--level 1]

At scale 1: 7 million articles and 11 million redirects in namespace 0, 2.5 million categories, 43
million other pages, 700 million rows of pagelinks, 180 million of categorylinks, 100 million of
linktarget with ids up to 300 million. Rows are ordered by primary key, as in real dumps. Links of a
page go to popular titles mostly. Random numbers come from a fixed seed."""
import argparse
import gzip
import os
import random
import sys

PAGES, REDIRECTS, CATEGORIES, OTHERS = 7_000_000, 11_000_000, 2_500_000, 43_000_000
LINKS, MEMBERS, TARGETS, TARGET_STEP = 700_000_000, 180_000_000, 100_000_000, 3
STATEMENT = 1 << 20
WORDS = ("river john american film history of the league station school saint county album list "
         "north battle church football museum award house new united war music station lake "
         "mountain king island university (band) (disambiguation) o'neil district village "
         "season championship science theory language art bridge castle railway").split()

CREATE = {
    "page": "`page_id` int unsigned NOT NULL,\n `page_namespace` int NOT NULL,\n `page_title` "
            "varbinary(255) NOT NULL,\n `page_is_redirect` tinyint NOT NULL,\n `page_is_new` "
            "tinyint NOT NULL,\n `page_random` double NOT NULL,\n `page_touched` binary(14) NOT "
            "NULL,\n `page_links_updated` varbinary(14) DEFAULT NULL,\n `page_latest` int NOT "
            "NULL,\n `page_len` int NOT NULL,\n `page_content_model` varbinary(32) DEFAULT "
            "NULL,\n `page_lang` varbinary(35) DEFAULT NULL",
    "redirect": "`rd_from` int unsigned NOT NULL,\n `rd_namespace` int NOT NULL,\n `rd_title` "
                "varbinary(255) NOT NULL,\n `rd_interwiki` varbinary(32) DEFAULT NULL,\n "
                "`rd_fragment` varbinary(255) DEFAULT NULL",
    "linktarget": "`lt_id` bigint unsigned NOT NULL,\n `lt_namespace` int NOT NULL,\n `lt_title` "
                  "varbinary(255) NOT NULL",
    "page_props": "`pp_page` int unsigned NOT NULL,\n `pp_propname` varbinary(60) NOT NULL,\n "
                  "`pp_value` blob NOT NULL,\n `pp_sortkey` float DEFAULT NULL",
    "pagelinks": "`pl_from` int unsigned NOT NULL,\n `pl_from_namespace` int NOT NULL,\n "
                 "`pl_target_id` bigint unsigned NOT NULL",
    "categorylinks": "`cl_from` int unsigned NOT NULL,\n `cl_sortkey` varbinary(230) NOT NULL,\n "
                     "`cl_timestamp` timestamp NOT NULL,\n `cl_sortkey_prefix` varbinary(255) NOT "
                     "NULL,\n `cl_type` enum('page','subcat','file') NOT NULL,\n "
                     "`cl_collation_id` smallint NOT NULL,\n `cl_target_id` bigint unsigned NOT "
                     "NULL",
    "pagelinks old": "`pl_from` int unsigned NOT NULL,\n `pl_namespace` int NOT NULL,\n `pl_title` "
                     "varbinary(255) NOT NULL,\n `pl_from_namespace` int NOT NULL",
}


class Table:
    """One dump being written."""

    def __init__(self, folder, name, level, kind=None):
        path = os.path.join(folder, "madewiki-20240101-%s.sql%s" % (name, ".gz" if level else ""))
        self.file = gzip.open(path, "wb", level) if level else open(path, "wb")
        self.head = "INSERT INTO `%s` VALUES " % name
        self.rows, self.bytes, self.count = [], 0, 0
        self.file.write(("-- MySQL dump 10.19  Distrib 10.3.38-MariaDB\n\nCREATE TABLE `%s` (\n %s"
                         "\n) ENGINE=InnoDB DEFAULT CHARSET=binary;\n\n"
                         % (name, CREATE[kind or name])).encode())

    def put(self, row):
        """A row as text, with its parentheses."""
        self.rows.append(row)
        self.bytes += len(row)
        self.count += 1
        if self.bytes > STATEMENT:
            self.flush()

    def flush(self):
        """Ends the statement."""
        if self.rows:
            self.file.write((self.head + ",".join(self.rows) + ";\n").encode())
        self.rows, self.bytes = [], 0

    def close(self):
        """Ends the dump."""
        self.flush()
        self.file.write(b"\n-- Dump completed on 2024-01-01 00:00:00\n")
        self.file.close()


class Maker:
    """Tables that fit each other. A title is made from its number alone."""

    def __init__(self, options):
        self.options = options
        self.draw = random.Random(1)
        scale = options.scale
        self.n = {"page": int(PAGES * scale), "redirect": int(REDIRECTS * scale),
                  "category": int(CATEGORIES * scale), "other": int(OTHERS * scale)}
        self.targets = int(TARGETS * scale)

    def table(self, name, kind=None):
        """A new dump."""
        return Table(self.options.out, name, self.options.level, kind)

    @staticmethod
    def title(kind, i):
        """About 20 bytes; some have quotes."""
        w = WORDS
        text = "%s_%s_%s_%d" % (w[i % 43].capitalize(), w[i // 43 % 43], kind, i)
        return text.replace("'", "\\'")

    def pages(self):
        """All kinds mixed; ids ascend with gaps. Remembers the ids."""
        table = self.table("page")
        kinds = [(0, "page", 0), (0, "redirect", 1), (14, "category", 0), (1, "other", 0)]
        left = [self.n[k[1]] for k in kinds]
        self.ids = {"page": [], "redirect": [], "category": []}
        total, page = sum(left), 0
        at = [0, 0, 0, 0]
        for count in range(total, 0, -1):
            choice = self.draw.random() * count
            k = 0
            while choice >= left[k] and k < 3:
                choice -= left[k]
                k += 1
            k = k if left[k] else max(range(4), key=lambda i: left[i])
            left[k] -= 1
            space, kind, redirect = kinds[k]
            page += 1 if count % 5 else 2
            if kind != "other":
                self.ids[kind].append(page)
            table.put("(%d,%d,'%s',%d,0,0.%012d,'20240101000000','20240101000000',%d,%d,'wikitext',"
                      "NULL)" % (page, space, self.title(kind, at[k]), redirect, count * 7919,
                                 page * 15, count % 50000))
            at[k] += 1
        self.last = page
        table.close()

    def redirects(self):
        """To pages, one in 50 to another redirect."""
        table = self.table("redirect")
        for i, page in enumerate(self.ids["redirect"]):
            kind = "redirect" if i % 50 == 0 else "page"
            target = self.draw.randrange(self.n[kind])
            table.put("(%d,0,'%s',NULL,NULL)" % (page, self.title(kind, target)))
        table.close()

    def linktargets(self):
        """Pages, half of the redirects, categories, and red links and other namespaces. The order
        of titles is mixed by a multiplication."""
        table = self.table("linktarget")
        n = self.n
        known = n["page"] + n["redirect"] // 2 + n["category"]
        step = 1_000_003
        self.target_of = {"page": [0] * n["page"], "category": [0] * n["category"]}
        for i in range(self.targets):
            mixed = i * step % self.targets
            target = 1 + i * TARGET_STEP
            if mixed < n["page"]:
                space, title = 0, self.title("page", mixed)
                self.target_of["page"][mixed] = target
            elif mixed < n["page"] + n["redirect"] // 2:
                space, title = 0, self.title("redirect", mixed - n["page"])
            elif mixed < known:
                c = mixed - n["page"] - n["redirect"] // 2
                space, title = 14, self.title("category", c)
                self.target_of["category"][c] = target
            else:
                space, title = (0, self.title("red", mixed)) if mixed % 2 else \
                    (mixed % 12 + 1, self.title("other", mixed))
            table.put("(%d,%d,'%s')" % (target, space, title))
        table.close()

    def page_props(self):
        """A tenth of the categories is hidden."""
        table = self.table("page_props")
        for i, page in enumerate(self.ids["category"]):
            if i % 10 == 0:
                table.put("(%d,'hiddencat','',NULL)" % page)
        table.close()

    def categorylinks(self):
        """Of pages and categories."""
        table = self.table("categorylinks")
        rows = int(MEMBERS * self.options.scale)
        sources = sorted(self.ids["page"] + self.ids["category"])
        each = rows / len(sources)
        draw, of = self.draw.random, self.target_of["category"]
        n = len(of)
        for i, page in enumerate(sources):
            found = {of[int(n * draw() ** 3)] for _ in range(int((i + 1) * each) - int(i * each))}
            for target in sorted(found):
                table.put("(%d,'*KLMNOPQ%d','2024-01-01 00:00:00','','page',1,%d)"
                          % (page, page, target))
        table.close()

    def pagelinks(self):
        """Sources are the pages, and a tenth other pages; half of the targets are popular."""
        old = self.options.layout == "old"
        table = self.table("pagelinks", "pagelinks old" if old else None)
        rows = int(LINKS * self.options.scale)
        sources = self.ids["page"]
        draw, of = self.draw.random, self.target_of["page"]
        n, n_targets = len(of), self.targets
        each = rows / len(sources)
        for i, page in enumerate(sources):
            found = set()
            for _ in range(int((i + 1) * each) - int(i * each)):
                x = draw()
                # The rest goes to any target: redirects, red links, other namespaces.
                found.add(of[int(n * (x * 2) ** 3)] if x < 0.5 else
                          1 + int(n_targets * (2 * x - 1)) * TARGET_STEP)
            space = 0 if i % 10 else 4
            if old:
                for target in sorted(found):
                    table.put("(%d,0,'%s',%d)"
                              % (page, self.title("page", target % n), space))
            else:
                for target in sorted(found):
                    table.put("(%d,%d,%d)" % (page, space, target))
        table.close()


def main():
    """Makes all tables."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.001)
    parser.add_argument("--out", required=True)
    parser.add_argument("--layout", choices=["new", "old"], default="new")
    parser.add_argument("--level", type=int, default=1, help="of gzip; 0: plain")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    maker = Maker(options)
    for step in ("pages", "redirects", "linktargets", "page_props", "categorylinks", "pagelinks"):
        print(step, file=sys.stderr, flush=True)
        getattr(maker, step)()


if __name__ == "__main__":
    main()
