/* SPDX-License-Identifier: Apache-2.0
 *
 * Dumps of mysqldump: every spelling of a value, rows cut by reads anywhere, and what is refused.
 */
#include "check.h"
#include "compress.h"
#include "import/sql_dump.h"

#define CREATE "CREATE TABLE `t` (`a` int NOT NULL, `b` varbinary(255), PRIMARY KEY (`a`,`b`));\n"

static const char *const BOTH[] = {"a", "b"};
static const size_t STEPS[] = {1, 2, 3, 5, 16, 1 << 20};
enum { N_STEPS = sizeof STEPS / sizeof STEPS[0], TEXT_MAX = 4096 };

static void append(char *text, size_t *length, const char *data, size_t bytes) {
    assert_true(*length + bytes < TEXT_MAX);
    memcpy(text + *length, data, bytes);
    *length += bytes;
    text[*length] = '\0';
}

/* One value with a letter for its kind: n, i, d, t. */
static void append_value(char *text, size_t *length, const dip_sql_value *value) {
    char number[32];
    append(text, length, &"nidt"[value->kind], 1);
    if (value->kind == DIP_SQL_INTEGER) {
        const int n = snprintf(number, sizeof number, "%lld", (long long)value->integer);
        append(text, length, number, (size_t)n);
    } else if (value->kind != DIP_SQL_NULL) {
        append(text, length, value->text, value->length);
    }
}

/* All rows as "i1,tx;": values by commas, rows ended by semicolons. */
static dip_status rows_of(const char *sql, size_t bytes, size_t step, const char *const *columns,
                          size_t n, char text[TEXT_MAX], size_t *length) {
    dip_sql_dump *dump = NULL;
    const dip_sql_value *values = NULL;
    *length = 0;
    text[0] = '\0';
    DIP_TRY(dip_sql_dump_open_bytes(&dump, sql, bytes, step, "x.sql", "t", check_error()));
    dip_status status = dip_sql_dump_select(dump, columns, n, check_error());
    while (status == DIP_OK) {
        status = dip_sql_dump_next(dump, &values, check_error());
        for (size_t i = 0; i < n && status == DIP_OK; i++) {
            append(text, length, ",", i > 0);
            append_value(text, length, &values[i]);
        }
        append(text, length, ";", status == DIP_OK);
    }
    dip_sql_dump_close(dump);
    return status;
}

static void check_rows_of(const char *sql, size_t bytes, const char *expected, size_t length) {
    char text[TEXT_MAX];
    size_t found = 0;
    for (size_t s = 0; s < N_STEPS; s++) {
        const dip_status status = rows_of(sql, bytes, STEPS[s], BOTH, 2, text, &found);
        if (status != DIP_END) {
            print_error("%s\nby %zu: %s\n", sql, STEPS[s], check_error()->message);
        }
        assert_int_equal(status, DIP_END);
        if (found != length || memcmp(text, expected, length) != 0) {
            print_error("%s\nby %zu gives %s\nnot %s\n", sql, STEPS[s], text, expected);
            fail();
        }
    }
}

static void check_rows(const char *sql, const char *expected) {
    check_rows_of(sql, strlen(sql), expected, strlen(expected));
}

/* The rows of a table (a, b) whose b is written in this way. */
static void check_value(const char *written, const char *expected, size_t length) {
    char sql[1024];
    char rows[1024];
    const int n =
        snprintf(sql, sizeof sql, CREATE "INSERT INTO `t` VALUES (7,%s),(8,NULL);", written);
    size_t used = 0;
    append(rows, &used, "i7,", 3);
    append(rows, &used, expected, length);
    append(rows, &used, ";i8,n;", 6);
    check_rows_of(sql, (size_t)n, rows, used);
}

#define VALUE(written, expected) check_value(written, expected, sizeof(expected) - 1)

static void texts_lose_their_escapes(void **state) {
    (void)state;
    VALUE("'plain text'", "tplain text");
    VALUE("''", "t");
    VALUE("'It\\'s'", "tIt's");
    VALUE("'It''s'", "tIt's");
    VALUE("''''", "t'");
    VALUE("'\\''", "t'");
    VALUE("'a\\\\'", "ta\\");
    VALUE("'\\\\\\''", "t\\'");
    VALUE("'say \\\"x\\\"'", "tsay \"x\"");
    VALUE("'say \"x\"'", "tsay \"x\"");
    VALUE("\"It's \\\" \"\"\"", "tIt's \" \"");
    VALUE("'\\n\\r\\t\\b\\Z\\0.'", "t\n\r\t\b\x1a\0.");
    VALUE("'100\\%, a\\_b, \\q'", "t100\\%, a\\_b, q");
    VALUE("'),(1,2);'", "t),(1,2);");
    VALUE("'-- no comment /* at all */ #'", "t-- no comment /* at all */ #");
    VALUE("'12345678\\'12345678\\\\12345678'", "t12345678'12345678\\12345678");
    VALUE("'\xff\xfe\x80 \xe4'", "t\xff\xfe\x80 \xe4");
    VALUE("'K\xc3\xb6ln'", "tK\xc3\xb6ln");
}

static void numbers_keep_their_kind(void **state) {
    (void)state;
    VALUE("0", "i0");
    VALUE("-12", "i-12");
    VALUE("+12", "i12");
    VALUE("000123", "i123");
    VALUE("999999999999999999", "i999999999999999999");
    VALUE("1000000000000000000", "d1000000000000000000");
    VALUE("18446744073709551615", "d18446744073709551615");
    VALUE("0.778582929065", "d0.778582929065");
    VALUE("-1.5e-10", "d-1.5e-10");
    VALUE("1e5", "d1e5");
    VALUE("1.", "d1.");
    VALUE(".5", "d.5");
    VALUE("TRUE", "i1");
    VALUE("false", "i0");
    VALUE("null", "n");
}

static void hexadecimal_and_introduced_texts(void **state) {
    (void)state;
    VALUE("0x4B6F", "tKo");
    VALUE("0x4b6f6c6e", "tKoln");
    VALUE("0xF00", "t\x0f\0");
    VALUE("x'4B'", "tK");
    VALUE("X''", "t");
    VALUE("_binary 'a\\0b'", "ta\0b");
    VALUE("_binary'ab'", "tab");
    VALUE("_utf8mb4 'ab'", "tab");
    VALUE("_binary 0x4B", "tK");
    VALUE("_binary x'4B'", "tK");
}

static void statements_of_a_real_dump(void **state) {
    (void)state;
    check_rows("/*M!999999\\- enable the sandbox mode */ \n"
               "-- MySQL dump 10.19  Distrib 10.3.38-MariaDB, for debian-linux-gnu (x86_64)\n--\n"
               "-- Host: localhost    Database: simplewiki\n"
               "-- ------------------------------------------------------\n"
               "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n"
               "/*!40103 SET TIME_ZONE='+00:00' */;\n"
               "--\n-- Table structure for table `t`\n--\n\n"
               "DROP TABLE IF EXISTS `t`;\n"
               "CREATE TABLE `t` (\n"
               "  `a` int(8) unsigned NOT NULL AUTO_INCREMENT COMMENT 'key, (a); it''s \\'x',\n"
               "  `c` enum('page','sub,cat') NOT NULL DEFAULT 'page',\n"
               "  `b` varbinary(255) NOT NULL DEFAULT '',\n"
               "  `d` decimal(10,2) DEFAULT NULL,\n"
               "  PRIMARY KEY (`a`),\n  UNIQUE KEY `name_title` (`b`,`a`),\n  KEY `d` (`d`)\n"
               ") ENGINE=InnoDB AUTO_INCREMENT=951 DEFAULT CHARSET=binary ROW_FORMAT=COMPRESSED;\n"
               "/*!40101 SET character_set_client = @saved_cs_client */;\n\n"
               "LOCK TABLES `t` WRITE;\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n"
               "INSERT INTO `t` VALUES (1,'page','A_b',NULL),(2,'x','C',1.50);\n"
               "INSERT INTO `t` VALUES\n (3,'page','D',NULL) ,\n(4,'page','E',2);\n"
               "/*!40000 ALTER TABLE `t` ENABLE KEYS */;\nUNLOCK TABLES;\n"
               "-- Dump completed on 2024-01-20 10:31:05\n",
               "i1,tA_b;i2,tC;i3,tD;i4,tE;");
}

static void other_spellings_of_statements(void **state) {
    (void)state;
    check_rows("create table if not exists db.t (a int, b text, key k (a)); "
               "insert ignore into db.t values (1,'x');",
               "i1,tx;");
    check_rows(CREATE "INSERT INTO `t` (`b`, `a`) VALUES ('x',1),('y',2);"
                      "REPLACE INTO `t` (`a`) VALUES (3);INSERT INTO t VALUES (4,'z');",
               "i1,tx;i2,ty;i3,n;i4,tz;");
    check_rows("CREATE TABLE `other` (`a` int);INSERT INTO `other` VALUES (9,';'),(8,'it\\'s');\n"
               "CREATE VIEW `t` AS SELECT 1;" CREATE "INSERT INTO `other` VALUES (9);"
               "INSERT INTO `t` VALUES (1,'x');",
               "i1,tx;");
    check_rows("CREATE TABLE `t` (`a` int, `primary` int, `b` text);"
               "INSERT INTO t VALUES (1,2,'x');# end\n-- end",
               "i1,tx;");
    check_rows(CREATE, "");
    check_rows("CREATE TABLE `t` (`a` int, `b``c` int, `b` int);INSERT INTO t VALUES (1,2,3);",
               "i1,i3;");
}

static void columns_are_found_by_name(void **state) {
    static const char *const LAST[] = {"c"};
    static const char *const NONE[] = {"pl_title"};
    static const char SQL[] = "CREATE TABLE t (a int, b int, c int);INSERT INTO t VALUES (1,2,3);";
    char text[TEXT_MAX];
    size_t length = 0;
    (void)state;
    assert_int_equal(rows_of(SQL, sizeof SQL - 1, 7, LAST, 1, text, &length), DIP_END);
    assert_string_equal(text, "i3;");
    check_fails(rows_of(SQL, sizeof SQL - 1, 7, NONE, 1, text, &length), DIP_ERR_FORMAT,
                "x.sql: the table t has no column pl_title; it has a, b, c");
}

/* Every prefix of a dump with mysqldump's last line is refused, up to that line. */
static void a_dump_that_ends_early_is_an_error(void **state) {
    static const char SQL[] =
        "-- MariaDB dump 10.19\n" CREATE
        "INSERT INTO `t` VALUES (1,'it\\'s'),(-2,NULL);\nINSERT INTO `t` VALUES (3,0x4B);\n"
        "/*!40000 SET x */;\n";
    static const char END[] = "-- Dump completed on 2024-01-20\n";
    char whole[1024];
    char text[TEXT_MAX];
    size_t length = 0;
    (void)state;
    snprintf(whole, sizeof whole, "%s%s", SQL, END);
    for (size_t n = strlen("-- MariaDB dump"); n < strlen(SQL) + strlen("-- Dump completed"); n++) {
        for (size_t s = 0; s < N_STEPS; s++) {
            check_fails(rows_of(whole, n, STEPS[s], BOTH, 2, text, &length), DIP_ERR_FORMAT,
                        "x.sql: byte ");
            assert_non_null(strstr(check_error()->message, "truncated"));
        }
    }
    assert_int_equal(rows_of(whole, strlen(whole), 9, BOTH, 2, text, &length), DIP_END);
}

static void refuse(const char *rest, const char *part) {
    char sql[2048];
    char text[TEXT_MAX];
    size_t length = 0;
    snprintf(sql, sizeof sql, "%s%s", CREATE, rest);
    for (size_t s = 0; s < N_STEPS; s++) {
        check_fails(rows_of(sql, strlen(sql), STEPS[s], BOTH, 2, text, &length), DIP_ERR_FORMAT,
                    part);
    }
}

static void wrong_rows_are_named(void **state) {
    char expected[200];
    (void)state;
    snprintf(expected, sizeof expected,
             "x.sql: byte %zu of the SQL text: table t, column b: a value is expected, not \"!",
             strlen(CREATE) + strlen("INSERT INTO t VALUES (1,"));
    refuse("INSERT INTO t VALUES (1,!2);", expected);
    refuse("INSERT INTO t VALUES (1);", "column a: a comma and the next value is expected");
    refuse("INSERT INTO t VALUES (1,2,3);", "column b: ) behind the last value is expected");
    refuse("INSERT INTO t VALUES (1,'a'b');", "column b: ) behind the last value");
    refuse("INSERT INTO t VALUES 1,2;", "( is expected, not \"1");
    refuse("INSERT INTO t VALUES (1,2) ON DUPLICATE;", "a comma and a row, or ;");
    refuse("INSERT INTO t VALUES (1,-);", "a number is expected");
    refuse("INSERT INTO t VALUES (1,.);", "a number is expected");
    refuse("INSERT INTO t VALUES (1,1e);", "a number is expected");
    refuse("INSERT INTO t VALUES (1,x'4G');", "hexadecimal digits and a quote is expected");
    refuse("INSERT INTO t VALUES (1,_binary 5);", "a text behind a character set is expected");
    refuse("INSERT INTO t VALUES (1,NOW());", "a value is expected, not \"NOW()");
    refuse("INSERT INTO t SELECT 1;", "VALUES is expected");
    refuse("INSERT INTO t (a,z) VALUES (1,2);", "a list of the table's columns");
    refuse(CREATE, "the table is defined twice");
}

static void a_definition_must_come_first(void **state) {
    static const char EARLY[] = "INSERT INTO `t` VALUES (1,2);";
    static const char OTHER[] = "CREATE TABLE `u` (`a` int);";
    static const char TWICE[] = "CREATE TABLE t (a int, a int);";
    static const char NAMELESS[] = "CREATE TABLE t ((a int));";
    char text[TEXT_MAX];
    size_t length = 0;
    (void)state;
    check_fails(rows_of(EARLY, sizeof EARLY - 1, 5, BOTH, 2, text, &length), DIP_ERR_FORMAT,
                "CREATE TABLE, which names the columns, before INSERT");
    check_fails(rows_of(OTHER, sizeof OTHER - 1, 5, BOTH, 2, text, &length), DIP_ERR_FORMAT,
                "x.sql has no CREATE TABLE for the table t");
    check_fails(rows_of(TWICE, sizeof TWICE - 1, 5, BOTH, 2, text, &length), DIP_ERR_FORMAT,
                "column \"a\" is defined twice");
    check_fails(rows_of(NAMELESS, sizeof NAMELESS - 1, 5, BOTH, 2, text, &length), DIP_ERR_FORMAT,
                "a column's name is expected");
    check_fails(rows_of("", 0, 5, BOTH, 2, text, &length), DIP_ERR_FORMAT, "has no CREATE TABLE");
}

/* A statement of several megabytes in one line, and values larger than the buffer. */
static void long_statements_and_values(void **state) {
    enum { ROWS = 200000, LONG = 3 << 20 };
    char *sql = malloc((size_t)ROWS * 24 + 3 * LONG);
    dip_sql_dump *dump = NULL;
    const dip_sql_value *values = NULL;
    assert_non_null(sql);
    size_t used = (size_t)sprintf(sql, "%sINSERT INTO `t` VALUES (0,'", CREATE);
    for (int i = 0; i < LONG; i++) {
        sql[used++] = (char)('a' + i % 7);
        used += i % 100 == 0 ? (size_t)sprintf(sql + used, "\\'") : 0;
    }
    used += (size_t)sprintf(sql + used, "')");
    for (int i = 1; i <= ROWS; i++) {
        used += (size_t)sprintf(sql + used, ",(%d,'r%d')", i, 3 * i);
    }
    used += (size_t)sprintf(sql + used, ";");
    compress_to(check_path(*state, "x.sql.gz"), sql, used, 3);
    check_ok(dip_sql_dump_open(&dump, check_path(*state, "x.sql.gz"), "t", check_error()));
    check_ok(dip_sql_dump_select(dump, BOTH, 2, check_error()));
    check_ok(dip_sql_dump_next(dump, &values, check_error()));
    assert_int_equal(values[1].length, LONG + (LONG + 99) / 100);
    assert_memory_equal(values[1].text, "a'bcdefga", 9);
    for (int i = 1; i <= ROWS; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "r%d", 3 * i);
        check_ok(dip_sql_dump_next(dump, &values, check_error()));
        assert_int_equal(values[0].integer, i);
        assert_int_equal(values[1].length, strlen(expected));
        assert_memory_equal(values[1].text, expected, strlen(expected));
    }
    assert_int_equal(dip_sql_dump_next(dump, &values, check_error()), DIP_END);
    assert_int_equal(dip_sql_dump_sql_bytes(dump), used);
    assert_int_equal(dip_sql_dump_position(dump), dip_sql_dump_size(dump));
    dip_sql_dump_close(dump);
    free(sql);
}

static void a_quote_that_never_ends_is_bounded(void **state) {
    const size_t bytes = (size_t)40 << 20;
    char *sql = malloc(bytes);
    char text[TEXT_MAX];
    size_t length = 0;
    (void)state;
    assert_non_null(sql);
    memset(sql, 'x', bytes);
    memcpy(sql, CREATE "INSERT INTO t VALUES (1,'", strlen(CREATE "INSERT INTO t VALUES (1,'"));
    check_fails(rows_of(sql, bytes, bytes, BOTH, 2, text, &length), DIP_ERR_FORMAT,
                "a row is longer than 16 MiB; is a quote missing?");
    free(sql);
}

static void typed_values_are_checked(void **state) {
    static const char SQL[] = CREATE "INSERT INTO t VALUES (5,'x'),(-1,NULL),('a',7);";
    dip_sql_dump *dump = NULL;
    const dip_sql_value *values = NULL;
    const char *text = NULL;
    size_t length = 0;
    int64_t number = 0;
    (void)state;
    check_ok(dip_sql_dump_open_bytes(&dump, SQL, sizeof SQL - 1, 4, "x.sql", "t", check_error()));
    check_ok(dip_sql_dump_select(dump, BOTH, 2, check_error()));
    check_ok(dip_sql_dump_next(dump, &values, check_error()));
    check_ok(dip_sql_dump_integer(dump, 0, 0, 5, &number, check_error()));
    assert_int_equal(number, 5);
    check_ok(dip_sql_dump_text(dump, 1, &text, &length, check_error()));
    assert_memory_equal(text, "x", length);
    check_ok(dip_sql_dump_next(dump, &values, check_error()));
    check_fails(dip_sql_dump_integer(dump, 0, 0, 9, &number, check_error()), DIP_ERR_FORMAT,
                "column a: -1 is not a whole number from 0 to 9");
    check_fails(dip_sql_dump_integer(dump, 1, 0, 9, &number, check_error()), DIP_ERR_FORMAT,
                "column b: NULL is not a whole number");
    check_fails(dip_sql_dump_text(dump, 1, &text, &length, check_error()), DIP_ERR_FORMAT,
                "column b: NULL where a text must be");
    check_ok(dip_sql_dump_next(dump, &values, check_error()));
    check_fails(dip_sql_dump_integer(dump, 0, 0, 9, &number, check_error()), DIP_ERR_FORMAT,
                "column a: a is not a whole number");
    check_ok(dip_sql_dump_text(dump, 1, &text, &length, check_error()));
    assert_memory_equal(text, "7", length);
    dip_sql_dump_close(dump);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_lose_their_escapes),
        cmocka_unit_test(numbers_keep_their_kind),
        cmocka_unit_test(hexadecimal_and_introduced_texts),
        cmocka_unit_test(statements_of_a_real_dump),
        cmocka_unit_test(other_spellings_of_statements),
        cmocka_unit_test(columns_are_found_by_name),
        cmocka_unit_test(a_dump_that_ends_early_is_an_error),
        cmocka_unit_test(wrong_rows_are_named),
        cmocka_unit_test(a_definition_must_come_first),
        check_test_in_folder(long_statements_and_values),
        cmocka_unit_test(a_quote_that_never_ends_is_bounded),
        cmocka_unit_test(typed_values_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
