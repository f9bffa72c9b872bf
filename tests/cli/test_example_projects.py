# SPDX-License-Identifier: Apache-2.0
"""examples/projects: each project file prepares a few rows in the layout of the real files."""
import gzip
import json
import os
import shutil
import unittest

import harness
from harness import run

FOLDER = os.path.join(harness.SOURCE_DIR, "examples", "projects")


def lines(rows):
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def grid(users, items):
    """(user, item, time): most pairs of a small grid, in the order of time."""
    pairs = [(u, i) for u in range(users) for i in range(items) if (u * 7 + i * 3) % 5]
    return [(u, i, 978300000 + 60 * at) for at, (u, i) in enumerate(pairs)]


class Projects(harness.Case):
    """One layout each."""

    def prepared(self, name, items, queries, pairs):
        """Prepares a copy of a project file beside the files; returns the report."""
        shutil.copy(os.path.join(FOLDER, name), self.folder)
        report = self.done(run("prepare", self.path(name), "-o", self.path("d"), "--json")).json()
        counts = report["counts"]
        self.assertEqual((counts["item_rows"], counts.get("query_rows", 0),
                          counts["train"] + counts["validation"] + counts["test"]),
                         (items, queries, pairs))
        return {t["name"]: t["rows"] for t in report["schema"]["tables"]}

    def test_every_project_is_tested(self):
        """No file without a test here."""
        tested = {"movielens-1m.yaml", "movielens-25m.yaml", "amazon-reviews.yaml", "steam.yaml",
                  "recbole.yaml", "wikipedia.yaml"}
        self.assertEqual(set(os.listdir(FOLDER)), tested)

    def test_movielens_1m(self):
        """Latin-1, two colons."""
        movies = ["1::Toy Story (1995)::Animation|Children's|Comedy",
                  "2::Misérables, Les (1995)::Drama|Musical", "3::Heat: A Tale (1995)::Action",
                  "4::Misérables, Les (1998)::Drama"]
        self.write("movies.dat", "\n".join(movies).encode("latin-1") + b"\n")
        self.write("users.dat", "".join("%d::%s::25::%d::0%d\n" % (u + 1, "FM"[u % 2], u, u)
                                        for u in range(5)))
        pairs = grid(5, 4)
        self.write("ratings.dat", "".join("%d::%d::5::%d\n" % (u + 1, i + 1, t)
                                          for u, i, t in pairs))
        tables = self.prepared("movielens-1m.yaml", 4, 5, len(pairs))
        self.assertEqual(tables["query.gender"], 2)
        text = b"".join(harness.read_bytes(self.path("d", n)) for n in os.listdir(self.path("d"))
                        if n.startswith("vocab"))
        self.assertIn("misérables".encode(), text.lower())

    def test_movielens_25m(self):
        """Quotes in titles; users from the interactions."""
        self.write("movies.csv", 'movieId,title,genres\n1,Toy Story (1995),Adventure|Animation\n'
                                 '11,"American President, The (1995)",Comedy|Drama\n'
                                 '12,"""Great"" One (1996)",(no genres listed)\n')
        ids = [1, 11, 12]
        pairs = grid(6, 3)
        self.write("ratings.csv", "userId,movieId,rating,timestamp\n" + "".join(
            "%d,%d,3.5,%d\n" % (u, ids[i], t) for u, i, t in pairs))
        self.prepared("movielens-25m.yaml", 3, 6, len(pairs))

    def test_amazon_reviews(self):
        """Nested metadata with lists, objects and nulls; ratings in a .csv.gz."""
        meta = [{"main_category": "Musical Instruments", "title": "Guitar Strings %d Pack" % i,
                 "average_rating": 4.5, "rating_number": 12, "features": ["Steel", "Six strings"],
                 "description": [], "price": None if i else "from 14.99",
                 "images": [{"thumb": "https://x/y.jpg", "hi_res": None}],
                 "videos": [], "store": "Ernie Ball",
                 "categories": ["Musical Instruments", "Guitar"],
                 "details": {"Item Weight": "3 oz"}, "parent_asin": "B00000%d" % i,
                 "bought_together": None} for i in range(4)]
        self.write("meta_Musical_Instruments.jsonl.gz", gzip.compress(lines(meta).encode()))
        pairs = grid(6, 4)
        self.write("Musical_Instruments.csv.gz", gzip.compress((
            "user_id,parent_asin,rating,timestamp\n" + "".join(
                "AE%d,B00000%d,5.0,%d\n" % (u, i, 1000 * t) for u, i, t in pairs)).encode()))
        tables = self.prepared("amazon-reviews.yaml", 4, 6, len(pairs))
        self.assertEqual(tables["categories"], 2)

    def test_steam(self):
        """JSON lines in several files."""
        games = [{"id": str(i), "title": "Game %d" % i, "developer": "Valve",
                  "genres": ["Action", "Indie"], "tags": ["Puzzle"], "price": 9.99 + i,
                  "release_year": 2010 + i} for i in range(4)]
        games[2].pop("price")
        self.write("games.jsonl", lines(games))
        pairs = grid(6, 4)
        plays = [{"user": "u%d" % u, "game": str(i), "hours": 1.5, "time": t} for u, i, t in pairs]
        self.write("plays-1.jsonl", lines(plays[:5]))
        self.write("plays-2.jsonl", lines(plays[5:]))
        tables = self.prepared("steam.yaml", 4, 6, len(pairs))
        self.assertEqual(tables["genres"], 2)

    def atomic_files(self):
        """The layout of ml-100k; returns the number of pairs."""
        self.write("ml-100k.item",
                   "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
                   "1\tToy Story\t1995\tAnimation Children's Comedy\n2\tGoldenEye\t1995\tAction\n"
                   "3\tFour Rooms\t1995\tThriller\n")
        self.write("ml-100k.user",
                   "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n" +
                   "".join("%d\t24\t%s\ttechnician\t85711\n" % (u, "MF"[u % 2]) for u in range(6)))
        pairs = grid(6, 3)
        self.write("ml-100k.inter",
                   "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" +
                   "".join("%d\t%d\t3\t%d\n" % (u, i + 1, t) for u, i, t in pairs))
        return len(pairs)

    def test_recbole(self):
        """Columns named with their types."""
        pairs = self.atomic_files()
        tables = self.prepared("recbole.yaml", 3, 6, pairs)
        self.assertEqual(tables["class"], 5)

    def test_what_import_recbole_writes(self):
        """It prepares the same data, with and without .item."""
        pairs = self.atomic_files()
        for out in ("a", "b"):
            self.done(run("import", "recbole", self.folder, "-o", self.path("p.yaml"), "-f", "-q"))
            counts = self.done(run("prepare", self.path("p.yaml"), "-o", self.path(out),
                                   "--json")).json()["counts"]
            self.assertEqual((counts["item_rows"], counts["query_rows"]), (3, 6))
            self.assertEqual(counts["train"] + counts["validation"] + counts["test"], pairs)
            os.remove(self.path("ml-100k.item" if out == "a" else "ml-100k.user"))

    def test_wikipedia(self):
        """The layout that import wikipedia writes, and its project file says the same."""
        self.write("pages.tsv", "page_id\ttitle\tcategories\n1\tApril\tMonths|Spring\n"
                                "2\tAugust\tMonths\n6\tArt\t\n")
        self.write("links.tsv", "source\ttarget\n1\t2\n1\t6\n2\t1\n6\t1\n6\t2\n")
        tables = self.prepared("wikipedia.yaml", 3, 0, 5)
        self.assertEqual(tables["categories"], 2)


if __name__ == "__main__":
    unittest.main()
