/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands of diptych(1) share: one table of flags a command, from which the parser and
 * the help are made. The command sees only the public header.
 */
#ifndef DIP_CLI_COMMAND_H
#define DIP_CLI_COMMAND_H

#include "diptych.h"

#include <stdbool.h>
#include <stdio.h>

enum { CLI_SETTINGS_MAX = 128, CLI_FLAGS_MAX = 64, CLI_POSITIONAL_MAX = 8 };

typedef struct cli_flag {
    const char *name;     /* "output", without dashes */
    char letter;          /* 'o', or 0 */
    const char *argument; /* "DIR"; NULL for a switch */
    const char *help;
} cli_flag;

typedef struct cli_args cli_args;

typedef struct cli_command cli_command;

/* A table of the library's that tells of settings of the command alone: each is a flag, with '-'
 * for '_', and listed in the help. get(0 ... count() - 1) fills in one. */
typedef struct cli_own {
    size_t (*count)(void);
    dip_status (*get)(size_t index, dip_option_info *info, dip_error *err);
} cli_own;

struct cli_command {
    const char *name;        /* "prepare"; of a command of a family, "import wikipedia" */
    const char *summary;     /* one line, for the list of commands */
    const char *usage;       /* what follows "diptych NAME" */
    const char *description; /* paragraphs */
    const char *example;
    const cli_flag *flags; /* its own, ended by a NULL name */
    cli_own own;           /* without functions: none */
    const char
        *sections[6]; /* option sections shown in the help: "train.", "ssl.", ...; "" is the top */
    bool shows_features; /* the help lists the settings of features too */
    size_t positional_min;
    size_t positional_max;
    int (*run)(const cli_args *args);
    const cli_command *const *family; /* the commands that the next word chooses from, or NULL */
};

typedef struct cli_setting {
    const char *key;
    const char *value;
} cli_setting;

/* A parsed command line. Values point into argv. */
struct cli_args {
    const cli_command *command;
    size_t n_positional;
    const char *positional[CLI_POSITIONAL_MAX];
    size_t n_flags;
    struct {
        const cli_flag *flag;
        const char *value;
    } given[CLI_FLAGS_MAX];
    size_t n_own;
    cli_setting own[CLI_FLAGS_MAX]; /* settings of the command alone, in order */
    size_t n_settings;
    cli_setting settings[CLI_SETTINGS_MAX]; /* --set key=value and --key value, in order */
    char keys[CLI_SETTINGS_MAX][64];
};

/* Parses; on a mistake prints it with a hint and returns false. */
bool cli_parse(cli_args *args, const cli_command *command, int argc, char **argv);

/* The value of a flag ("" for a switch), or NULL when it was not given. */
const char *cli_value(const cli_args *args, const char *name);
static inline bool cli_has(const cli_args *args, const char *name) {
    return cli_value(args, name) != NULL;
}

void cli_print_help(const cli_command *command);

/* The command of a family that a word means; on a mistake prints the family and returns NULL. */
const cli_command *cli_choose(const cli_command *family, const char *word);
void cli_print_family(const cli_command *family, FILE *out);

/* Prints "diptych: ..." and returns the exit code of the status. */
int cli_fail(const dip_error *err);

/* Prints the "warnings" of a report to standard error. */
void cli_print_warnings(const dip_report *report);

/* Applies --preset, --options and the settings to a configuration. */
dip_status cli_configure(const cli_args *args, dip_config *config, dip_error *err);

/* "1,234,567", in a buffer of at least 32 bytes. */
const char *cli_thousands(double number, char *text);

/* The commands. */
extern const cli_command cli_prepare;
extern const cli_command cli_check;
extern const cli_command cli_train;
extern const cli_command cli_evaluate;
extern const cli_command cli_experiment;
extern const cli_command cli_tune;
extern const cli_command cli_recommend;
extern const cli_command cli_inspect;
extern const cli_command cli_generate;
extern const cli_command cli_import;

#endif
