/* SPDX-License-Identifier: Apache-2.0
 *
 * diptych(1): finds the command and runs it.
 */
#include "cli/command.h"
#include "cli/progress_bar.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_command *const COMMANDS[] = {
    &cli_import,     &cli_prepare, &cli_check,     &cli_train,   &cli_evaluate,
    &cli_experiment, &cli_tune,    &cli_recommend, &cli_inspect, &cli_generate};
static const size_t N_COMMANDS = sizeof COMMANDS / sizeof COMMANDS[0];

static void print_overview(FILE *out) {
    fprintf(out,
            "diptych %s: trains and serves two-tower retrieval models that stay good in the long "
            "tail\n\nusage: diptych COMMAND ...\n\n",
            dip_version());
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(out, "  %-12s%s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    }
    fprintf(out, "\ndiptych COMMAND --help explains a command and its options.\n"
                 "Exit codes: 0 done, 1 failed, 2 usage, 3 input/output, 4 memory, 5 bad file, "
                 "6 not finite, 130/143 stopped by a signal.\n");
}

static const cli_command *find_command(const char *name) {
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(COMMANDS[i]->name, name) == 0) {
            return COMMANDS[i];
        }
    }
    return NULL;
}

/* Output that could not be written is a failure, whatever the command did. */
static int finish(int code) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "diptych: cannot write to standard output\n");
        return code != DIP_OK ? code : DIP_ERR_IO;
    }
    return code;
}

static bool asks_for_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int run_command(const cli_command *command, int argc, char **argv) {
    static cli_args args;
    if (command->family != NULL) {
        const char *word = argc > 0 ? argv[0] : "";
        if (asks_for_help(word)) {
            cli_print_family(command, stdout);
            return finish(DIP_OK);
        }
        const cli_command *chosen = cli_choose(command, word);
        return chosen != NULL ? run_command(chosen, argc - 1, argv + 1) : DIP_ERR_USAGE;
    }
    if (!cli_parse(&args, command, argc, argv)) {
        return DIP_ERR_USAGE;
    }
    if (cli_has(&args, "help")) {
        cli_print_help(command);
        return finish(DIP_OK);
    }
    const int code = finish(command->run(&args));
    return code == 130 && cli_bar_signal() != 0 ? cli_bar_signal() : code;
}

/* OpenMP threads that wait for each other spin by default for about a millisecond. When another
 * process needs the cores, that makes training many times slower (measured: two runs at once on
 * two cores, 4 thousand examples/s each against 26 thousand), and on idle cores a short spin is as
 * good, if it is not too short for steps of a few milliseconds: with AMX, 1,000 rounds in the place
 * of 3,000 were 10% slower on idle cores, and 8% faster with two runs at once. The runtime reads
 * the variable when it is loaded, so the command starts itself once more with it; by its path, for
 * a process is listed under the name that it was started by. */
static void limit_spinning(char **argv) {
    static const char SELF[] = "/proc/self/exe";
    char path[PATH_MAX] = {0};
    if (getenv("GOMP_SPINCOUNT") != NULL || getenv("OMP_WAIT_POLICY") != NULL ||
        setenv("GOMP_SPINCOUNT", "3000", 1) != 0) {
        return;
    }
    if (readlink(SELF, path, sizeof path - 1) > 0) {
        execv(path, argv);
    }
    execv(SELF, argv);
}

int main(int argc, char **argv) {
    limit_spinning(argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write, not a death */
    const char *name = argc > 1 ? argv[1] : "";
    if (asks_for_help(name)) {
        print_overview(stdout);
        return finish(DIP_OK);
    }
    if (strcmp(name, "--version") == 0) {
        printf("diptych %s\n", dip_version());
        return finish(DIP_OK);
    }
    const cli_command *command = find_command(name);
    if (command == NULL) {
        if (argc > 1) {
            fprintf(stderr, "diptych: unknown command \"%s\"\n\n", name);
        }
        print_overview(stderr);
        return DIP_ERR_USAGE;
    }
    return run_command(command, argc - 2, argv + 2);
}
