/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 28, HELP_WIDTH = 96 };

/* Flags that every command takes. */
static const cli_flag COMMON[] = {
    {"json", 0, NULL, "print one JSON object instead of text"},
    {"set", 's', "KEY=VALUE", "set an option (see below); --KEY VALUE does the same"},
    {"quiet", 'q', NULL, "no progress and no warnings"},
    {"help", 'h', NULL, "show this help"},
    {NULL, 0, NULL, NULL},
};

static const cli_flag *find_in(const cli_flag *flags, const char *name, char letter) {
    for (; flags->name != NULL; flags++) {
        if (name != NULL ? strcmp(flags->name, name) == 0
                         : letter != 0 && flags->letter == letter) {
            return flags;
        }
    }
    return NULL;
}

static const cli_flag *find_flag(const cli_command *command, const char *name, char letter) {
    const cli_flag *own = find_in(command->flags, name, letter);
    return own != NULL ? own : find_in(COMMON, name, letter);
}

/* The setting of the command alone that a flag means: "within-cluster" is within_cluster. */
static bool find_own(const cli_command *command, const char *name, dip_option_info *info) {
    const size_t n = command->own.count != NULL ? command->own.count() : 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        if (command->own.get(i, info, NULL) != DIP_OK) {
            continue;
        }
        while (name[at] != '\0' &&
               (name[at] == info->key[at] || (name[at] == '-' && info->key[at] == '_'))) {
            at++;
        }
        if (name[at] == '\0' && info->key[at] == '\0') {
            return true;
        }
    }
    return false;
}

static bool is_switch(const dip_option_info *info) {
    return strcmp(info->type, "switch") == 0;
}

static bool is_option_key(const char *name) {
    for (size_t i = 0; i < dip_option_count(); i++) {
        dip_option_info info;
        if (dip_option_get(i, &info, NULL) == DIP_OK && strcmp(info.key, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool mistake(const cli_command *command, const char *text, const char *what) {
    fprintf(stderr, "diptych %s: %s%s\nTry: diptych %s --help\n", command->name, text, what,
            command->name);
    return false;
}

/* Whether a key belongs to a section: "train.rate" to "train.", "seed" to "". */
static bool in_section(const char *key, const char *section) {
    return section[0] == '\0' ? strchr(key, '.') == NULL
                              : strncmp(key, section, strlen(section)) == 0;
}

/* Known options of other commands are refused: they would do nothing here. */
static bool is_for_command(const cli_command *command, const char *key) {
    for (size_t i = 0; command->sections[i] != NULL; i++) {
        if (in_section(key, command->sections[i])) {
            return true;
        }
    }
    return command->sections[0] != NULL && !is_option_key(key);
}

static bool add_setting(cli_args *args, const char *key, size_t key_length, const char *value) {
    if (args->n_settings == CLI_SETTINGS_MAX || key_length >= sizeof args->keys[0]) {
        return mistake(args->command, "too many or too long settings", "");
    }
    char *copy = args->keys[args->n_settings];
    memcpy(copy, key, key_length);
    copy[key_length] = '\0';
    if (!is_for_command(args->command, copy)) {
        return mistake(args->command, "this command does not use the option ", copy);
    }
    args->settings[args->n_settings++] = (cli_setting){copy, value};
    return true;
}

static bool add_assignment(cli_args *args, const char *text) {
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return mistake(args->command, "--set takes KEY=VALUE, not ", text);
    }
    return add_setting(args, text, (size_t)(equals - text), equals + 1);
}

static bool add_flag(cli_args *args, const cli_flag *flag, const char *value) {
    if (strcmp(flag->name, "set") == 0) {
        return add_assignment(args, value);
    }
    if (args->n_flags == CLI_FLAGS_MAX) {
        return mistake(args->command, "too many flags", "");
    }
    args->given[args->n_flags].flag = flag;
    args->given[args->n_flags++].value = value;
    return true;
}

/* A switch that is given is on. */
static bool add_own(cli_args *args, const dip_option_info *info, const char *value) {
    if (args->n_own == CLI_FLAGS_MAX) {
        return mistake(args->command, "too many flags", "");
    }
    args->own[args->n_own++] = (cli_setting){info->key, is_switch(info) ? "true" : value};
    return true;
}

/* --name, --name=value, --name value; also --train.rate 0.1 for the options of the table. */
static bool parse_long(cli_args *args, const char *word, int argc, char **argv, int *at) {
    char name[64];
    const char *equals = strchr(word, '=');
    const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    if (length >= sizeof name) {
        return mistake(args->command, "unknown flag --", word);
    }
    memcpy(name, word, length);
    name[length] = '\0';
    dip_option_info own;
    const cli_flag *flag = find_flag(args->command, name, 0);
    const bool is_own = flag == NULL && find_own(args->command, name, &own);
    const bool is_key =
        flag == NULL && !is_own && (strchr(name, '.') != NULL || is_option_key(name));
    if (flag == NULL && !is_own && !is_key) {
        return mistake(args->command, "unknown flag --", name);
    }
    const bool takes_value = is_key || (is_own ? !is_switch(&own) : flag->argument != NULL);
    const char *value = equals != NULL ? equals + 1 : "";
    if (!takes_value && equals != NULL) {
        return mistake(args->command, "no value goes with --", name);
    }
    if (takes_value && equals == NULL) {
        if (*at + 1 >= argc) {
            return mistake(args->command, "a value must follow --", name);
        }
        value = argv[++*at];
    }
    return is_own   ? add_own(args, &own, value)
           : is_key ? add_setting(args, name, length, value)
                    : add_flag(args, flag, value);
}

/* -o value or -ovalue. */
static bool parse_short(cli_args *args, const char *word, int argc, char **argv, int *at) {
    const cli_flag *flag = find_flag(args->command, NULL, word[0]);
    if (flag == NULL) {
        return mistake(args->command, "unknown flag -", word);
    }
    if (flag->argument == NULL) {
        return word[1] == '\0' ? add_flag(args, flag, "")
                               : mistake(args->command, "unknown flag -", word);
    }
    if (word[1] != '\0') {
        return add_flag(args, flag, word + 1);
    }
    if (*at + 1 >= argc) {
        return mistake(args->command, "a value must follow -", word);
    }
    return add_flag(args, flag, argv[++*at]);
}

static bool add_positional(cli_args *args, const char *word) {
    if (args->n_positional == args->command->positional_max) {
        return mistake(args->command, "one argument too many: ", word);
    }
    args->positional[args->n_positional++] = word;
    return true;
}

bool cli_parse(cli_args *args, const cli_command *command, int argc, char **argv) {
    bool flags_ended = false;
    memset(args, 0, sizeof *args);
    args->command = command;
    for (int at = 0; at < argc; at++) {
        const char *word = argv[at];
        bool is_good = true;
        if (flags_ended || word[0] != '-' || word[1] == '\0') {
            is_good = add_positional(args, word);
        } else if (strcmp(word, "--") == 0) {
            flags_ended = true;
        } else if (word[1] == '-') {
            is_good = parse_long(args, word + 2, argc, argv, &at);
        } else {
            is_good = parse_short(args, word + 1, argc, argv, &at);
        }
        if (!is_good) {
            return false;
        }
    }
    if (args->n_positional < command->positional_min && !cli_has(args, "help")) {
        return mistake(command, "an argument is missing: ", command->usage);
    }
    return true;
}

const char *cli_value(const cli_args *args, const char *name) {
    const char *value = NULL;
    for (size_t i = 0; i < args->n_flags; i++) {
        if (strcmp(args->given[i].flag->name, name) == 0) {
            value = args->given[i].value;
        }
    }
    return value;
}

/* ---- help ------------------------------------------------------------------------------------ */

/* Text in lines of HELP_WIDTH, the first of which already has `indent` characters. */
static void print_wrapped(const char *text, int indent) {
    int column = indent;
    while (*text != '\0') {
        const int length = (int)strcspn(text, " ");
        const bool is_first = column == indent;
        if (!is_first && column + 1 + length > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (!is_first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_entry(const char *left, const char *right) {
    const int used = printf("  %s", left);
    if (used >= HELP_COLUMN) {
        printf("\n%*s", HELP_COLUMN, "");
    } else {
        printf("%*s", HELP_COLUMN - used, "");
    }
    print_wrapped(right, HELP_COLUMN);
}

static void print_flags(const cli_flag *flags) {
    for (; flags->name != NULL; flags++) {
        char left[80];
        char letter[8] = "";
        if (flags->letter != 0) {
            snprintf(letter, sizeof letter, "-%c, ", flags->letter);
        }
        snprintf(left, sizeof left, "%s--%s%s%s", letter, flags->name,
                 flags->argument != NULL ? " " : "",
                 flags->argument != NULL ? flags->argument : "");
        print_entry(left, flags->help);
    }
}

static void print_option_as(const char *left, const dip_option_info *info) {
    char right[1024];
    snprintf(right, sizeof right, "%s (%s%s%s; default %s)", info->help, info->type,
             info->range[0] != '\0' ? ": " : "", info->range,
             info->default_value[0] != '\0' ? info->default_value : "none");
    print_entry(left, right);
}

static void print_option(const dip_option_info *info) {
    print_option_as(info->key, info);
}

/* Settings of the command alone, as the flags that they are. */
static void print_own(const cli_own *own) {
    const size_t n = own->count != NULL ? own->count() : 0;
    for (size_t i = 0; i < n; i++) {
        dip_option_info info;
        char left[80];
        if (own->get(i, &info, NULL) != DIP_OK) {
            continue;
        }
        snprintf(left, sizeof left, "--%.60s%s", info.key, is_switch(&info) ? "" : " VALUE");
        for (char *c = strchr(left, '_'); c != NULL; c = strchr(c, '_')) {
            *c = '-';
        }
        print_option_as(left, &info);
    }
}

static void print_options(const char *section) {
    for (size_t i = 0; i < dip_option_count(); i++) {
        dip_option_info info;
        if (dip_option_get(i, &info, NULL) == DIP_OK && in_section(info.key, section)) {
            print_option(&info);
        }
    }
}

static void print_feature_settings(void) {
    printf("\nsettings of a feature in the project file, as name: {type: text, ngrams: [1, 2]}\n");
    for (size_t i = 0; i < dip_feature_setting_count(); i++) {
        dip_option_info info;
        if (dip_feature_setting_get(i, &info, NULL) == DIP_OK) {
            print_option(&info);
        }
    }
}

void cli_print_help(const cli_command *command) {
    printf("usage: diptych %s %s\n\n", command->name, command->usage);
    print_wrapped(command->description, 0);
    printf("\nflags\n");
    print_flags(command->flags);
    print_own(&command->own);
    print_flags(COMMON);
    if (command->sections[0] != NULL) {
        printf("\noptions, as --KEY VALUE, --set KEY=VALUE or in the project file\n");
    }
    for (size_t i = 0; command->sections[i] != NULL; i++) {
        print_options(command->sections[i]);
    }
    if (command->shows_features) {
        print_feature_settings();
    }
    printf("\nexample\n  %s\n", command->example);
}

static const char *last_word(const char *name) {
    const char *blank = strrchr(name, ' ');
    return blank != NULL ? blank + 1 : name;
}

void cli_print_family(const cli_command *family, FILE *out) {
    fprintf(out, "%s\n\nusage: diptych %s %s\n\n", family->description, family->name,
            family->usage);
    for (size_t i = 0; family->family[i] != NULL; i++) {
        fprintf(out, "  %-12s%s\n", last_word(family->family[i]->name), family->family[i]->summary);
    }
    fprintf(out, "\ndiptych %s KIND --help explains one of them.\n", family->name);
}

const cli_command *cli_choose(const cli_command *family, const char *word) {
    for (size_t i = 0; family->family[i] != NULL; i++) {
        if (strcmp(last_word(family->family[i]->name), word) == 0) {
            return family->family[i];
        }
    }
    if (word[0] != '\0') {
        fprintf(stderr, "diptych %s: unknown kind \"%s\"\n\n", family->name, word);
    }
    cli_print_family(family, stderr);
    return NULL;
}

/* ---- output ---------------------------------------------------------------------------------- */

int cli_fail(const dip_error *err) {
    fprintf(stderr, "diptych: %s\n", err->message);
    return err->code == DIP_ERR_INTERRUPTED ? 130 : (int)err->code;
}

void cli_print_warnings(const dip_report *report) {
    for (int i = 0; i < 1000; i++) {
        char path[32];
        snprintf(path, sizeof path, "warnings/%d", i);
        const char *text = dip_report_text(report, path);
        if (text == NULL) {
            return;
        }
        fprintf(stderr, "warning: %s\n", text);
    }
}

dip_status cli_configure(const cli_args *args, dip_config *config, dip_error *err) {
    const char *preset = cli_value(args, "preset");
    if (preset != NULL) {
        const dip_status status = dip_config_preset(config, preset, err);
        if (status != DIP_OK) {
            return status;
        }
    }
    if (cli_has(args, "options")) {
        const dip_status status = dip_config_load(config, cli_value(args, "options"), err);
        if (status != DIP_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < args->n_settings; i++) {
        const dip_status status =
            dip_config_set(config, args->settings[i].key, args->settings[i].value, err);
        if (status != DIP_OK) {
            return status;
        }
    }
    return DIP_OK;
}

const char *cli_thousands(double number, char *text) {
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%.0f", number);
    size_t used = 0;
    for (int i = 0; i < length && used < 30; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}
