/* SPDX-License-Identifier: Apache-2.0
 *
 * diptych.h: train and serve two-tower retrieval models that stay good in the long tail.
 *
 * The method is that of T. Yao et al., "Self-supervised Learning for Large-scale Item
 * Recommendations" (CIKM 2021, arXiv 2007.12865); equation numbers below are that paper's.
 *
 * Conventions, valid for every function below:
 *   Shapes     [n x d] is row-major, contiguous float32 unless said otherwise.
 *   Errors     what can fail returns dip_status and takes err last (may be NULL; written only on
 *              failure). On failure output arguments are untouched and handles stay usable.
 *   Ownership  create/load/open: the caller frees. Returned const pointers are borrowed: valid
 *              until their owner is changed or freed. Arguments are copied unless the text says
 *              "keeps". free(NULL) and close(NULL) do nothing.
 *   Threads    different handles never interact. An open dip_dataset, a loaded dip_model and a
 *              built dip_index may be read by many threads at once; every other handle by one at a
 *              time.
 *              Long calls use OpenMP. On machines shared with other work, set GOMP_SPINCOUNT=1000
 *              or OMP_WAIT_POLICY=passive before the process starts, as the command does for
 *              itself.
 *   Signals    a handler that may run while a function here computes needs sigaltstack and
 *              SA_ONSTACK: generated kernels use the stack pointer as a general register.
 *   Output     the library never prints, exits, or changes signal handlers and locale.
 */
#ifndef DIPTYCH_H
#define DIPTYCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DIP_VERSION_MAJOR 0
#define DIP_VERSION_MINOR 1
#define DIP_VERSION_PATCH 0

#if defined(__GNUC__)
#define DIP_API __attribute__((visibility("default")))
#define DIP_NODISCARD __attribute__((warn_unused_result))
#else
#define DIP_API
#define DIP_NODISCARD
#endif

/* The outcome of a call. The command's exit code is the same number. */
typedef enum dip_status {
    DIP_OK = 0,              /* done */
    DIP_ERR_FAILED = 1,      /* the request cannot be met */
    DIP_ERR_USAGE = 2,       /* an argument, option or project setting is wrong */
    DIP_ERR_IO = 3,          /* the operating system refused a file operation */
    DIP_ERR_MEMORY = 4,      /* an allocation failed */
    DIP_ERR_FORMAT = 5,      /* a file's content is malformed, damaged or of another version */
    DIP_ERR_NONFINITE = 6,   /* a loss or gradient became NaN or infinite */
    DIP_ERR_INTERRUPTED = 7, /* a progress callback asked to stop */
    DIP_END = 8              /* the stream of training steps is finished */
} dip_status;

/* Filled by the function that failed; the text names the file, line, option or tensor at fault. */
typedef struct dip_error {
    dip_status code;
    char message[1020];
} dip_error;

typedef struct dip_project dip_project; /* a parsed project file */
typedef struct dip_config dip_config;   /* every option, typed and range-checked */
typedef struct dip_recipe dip_recipe;   /* what a generated catalogue is to be like */
typedef struct dip_dataset dip_dataset; /* a prepared dataset, memory-mapped */
typedef struct dip_trainer dip_trainer; /* parameters, optimizer state and batches */
typedef struct dip_model dip_model;     /* trained towers and their vocabularies */
typedef struct dip_index dip_index;     /* the encoded catalogue of one model and dataset */
typedef struct dip_report dip_report;   /* the result of a long call, readable by path or as JSON */

/* The library's version as "major.minor.patch". */
DIP_API const char *dip_version(void);

/* A short lower-case name of a status, such as "bad file". */
DIP_API const char *dip_status_name(dip_status status);

/* ---- progress -------------------------------------------------------------------------------- */

typedef struct dip_progress {
    const char *phase;  /* what is being done, such as "reading items.tsv.zst" */
    const char *unit;   /* what done and total count, such as "bytes" or "examples" */
    const char *detail; /* loss parts and the like, or "" */
    uint64_t done;
    uint64_t total; /* 0 when it is not known beforehand */
} dip_progress;

/* Called now and then from the thread that made the call. A non-zero return stops the work with
 * DIP_ERR_INTERRUPTED. */
typedef int (*dip_progress_fn)(void *context, const dip_progress *progress);

/* Called with a warning, one sentence, when it is found; it stands in the report too. */
typedef void (*dip_message_fn)(void *context, const char *text);

typedef struct dip_watch {
    dip_progress_fn on_progress; /* may be NULL */
    void *context;
    dip_message_fn on_message; /* may be NULL */
} dip_watch;

#define DIP_REPLACE 1u /* flag: an existing output is replaced, in one atomic step */
#define DIP_RESUME 2u  /* flag of dip_train: a run that was stopped goes on */
#define DIP_QUICK 4u   /* flag of dip_check: no steps are made to measure how long training takes */

/* ---- options --------------------------------------------------------------------------------- */

/* One row of the option table that feeds the parser, the project file, the help and the model. */
typedef struct dip_option_info {
    const char *key;  /* "train.rate" */
    const char *type; /* "integer", "number", "switch", "choice", "text", "integers" or "size" */
    const char *default_value; /* as text */
    const char *help;          /* one sentence */
    char range[256];           /* "0 to 1", "none | exact", ... */
} dip_option_info;

DIP_API size_t dip_option_count(void);

/* The option at index, 0 <= index < dip_option_count(). Strings live as long as the process. */
DIP_API DIP_NODISCARD dip_status dip_option_get(size_t index, dip_option_info *info,
                                                dip_error *err);

/* The settings of a feature in the project file, in the same form; the key is "min_count" and the
 * like. */
DIP_API size_t dip_feature_setting_count(void);
DIP_API DIP_NODISCARD dip_status dip_feature_setting_get(size_t index, dip_option_info *info,
                                                         dip_error *err);

/* A configuration with every option at its default. */
DIP_API DIP_NODISCARD dip_status dip_config_create(dip_config **config, dip_error *err);
DIP_API void dip_config_free(dip_config *config);

/* Sets one option from text.
 *
 * DIP_ERR_USAGE   an unknown key (the nearest one is named) or a value out of its range. */
DIP_API DIP_NODISCARD dip_status dip_config_set(dip_config *config, const char *key,
                                                const char *value, dip_error *err);

/* Writes one option's value as text into value[capacity], always NUL-terminated. */
DIP_API DIP_NODISCARD dip_status dip_config_get(const dip_config *config, const char *key,
                                                char *value, size_t capacity, dip_error *err);

/* Sets the options of a named preset; "paper" is the setting of arXiv 2007.12865. */
DIP_API DIP_NODISCARD dip_status dip_config_preset(dip_config *config, const char *name,
                                                   dip_error *err);

/* Sets options from a YAML file: a preset, then options, in sections or with their whole key. What
 * dip_tune writes is such a file. config is untouched on failure.
 *
 * DIP_ERR_USAGE   an unknown key or a bad value, with file, line and column. */
DIP_API DIP_NODISCARD dip_status dip_config_load(dip_config *config, const char *path,
                                                 dip_error *err);

/* ---- reports --------------------------------------------------------------------------------- */

/* The whole report as one JSON object. Borrowed. */
DIP_API const char *dip_report_json(const dip_report *report);

/* The number at a path such as "tail/recall@50" or "warnings/0/count". Steps are divided by '/'.
 *
 * DIP_ERR_FAILED   no number stands there. */
DIP_API DIP_NODISCARD dip_status dip_report_number(const dip_report *report, const char *path,
                                                   double *number, dip_error *err);

/* The string at a path, or NULL. Borrowed. */
DIP_API const char *dip_report_text(const dip_report *report, const char *path);

DIP_API void dip_report_free(dip_report *report);

/* ---- from raw files to a dataset ------------------------------------------------------------- */

/* Reads and checks a YAML project file; the data files it names are not opened yet.
 *
 * DIP_ERR_USAGE    an unknown key or a bad value, with file, line and column
 * DIP_ERR_FORMAT   not YAML. */
DIP_API DIP_NODISCARD dip_status dip_project_load(dip_project **project, const char *path,
                                                  dip_error *err);
DIP_API void dip_project_free(dip_project *project);

/* Overrides one option of the project, as dip_config_set does. */
DIP_API DIP_NODISCARD dip_status dip_project_set(dip_project *project, const char *key,
                                                 const char *value, dip_error *err);

/* Reads the project's files and writes a dataset folder: vocabularies, columns, split, counts and
 * the mutual information matrix (Eq. 4), all fitted on training rows only.
 *
 * flags    0 or DIP_REPLACE
 * report   may be NULL; rows, vocabularies, split sizes, what the split leaks, warnings. Caller
 *          frees.
 * DIP_ERR_USAGE    the output exists and DIP_REPLACE is not given
 * DIP_ERR_FORMAT   malformed input, with file, line, column and value; nothing is written. */
DIP_API DIP_NODISCARD dip_status dip_prepare(const dip_project *project, const char *output,
                                             unsigned flags, const dip_watch *watch,
                                             dip_report **report, dip_error *err);

/* A generated catalogue: how many items and pairs, how popularity and features are spread. The
 * settings are described as options are; docs/generate.md says what each does. */
DIP_API size_t dip_recipe_setting_count(void);
DIP_API DIP_NODISCARD dip_status dip_recipe_setting_get(size_t index, dip_option_info *info,
                                                        dip_error *err);

/* A recipe with every setting at its default. */
DIP_API DIP_NODISCARD dip_status dip_recipe_create(dip_recipe **recipe, dip_error *err);
DIP_API void dip_recipe_free(dip_recipe *recipe);

/* Sets one setting from text.
 *
 * DIP_ERR_USAGE   an unknown key (the nearest one is named) or a value out of its range. */
DIP_API DIP_NODISCARD dip_status dip_recipe_set(dip_recipe *recipe, const char *key,
                                                const char *value, dip_error *err);

/* Writes a synthetic catalogue with pairs of a query and an item drawn from a known law: a folder
 * of tables with a project file for dip_prepare, or a dataset. The same recipe gives the same
 * bytes for any number of threads. truth.json in the folder says what a model can reach at best.
 *
 * flags    0 or DIP_REPLACE
 * report   may be NULL; what truth.json says. Caller frees.
 * DIP_ERR_USAGE    settings that do not go together, or the output exists and DIP_REPLACE is not
 *                  given */
DIP_API DIP_NODISCARD dip_status dip_generate(const dip_recipe *recipe, const char *output,
                                              unsigned flags, const dip_watch *watch,
                                              dip_report **report, dip_error *err);
/* ---- from other people's files to a project -------------------------------------------------- */

/* Reads the public SQL dumps of a Wikipedia and writes a folder with pages.tsv (page_id, title,
 * categories), links.tsv (source, target: pages of namespace 0, redirects followed, each link once,
 * ordered by source, then target) and project.yaml, which dip_prepare takes.
 *
 * names    [n] settings: dumps (a folder), wiki, date; page, redirect, linktarget, categorylinks,
 *          pagelinks, page_props (files named one by one); hidden_category, memory
 * values   [n] their values as text
 * flags    0 or DIP_REPLACE
 * report   may be NULL; pages, redirects, categories, links kept and dropped by reason, warnings.
 *          Caller frees.
 * DIP_ERR_USAGE    an unknown setting; no whole set of dumps (the text lists what there is); the
 *                  output exists and DIP_REPLACE is not given
 * DIP_ERR_FAILED   the memory allowed does not hold the titles
 * DIP_ERR_FORMAT   a dump is damaged or ends early, with file, byte, table and column. */
DIP_API DIP_NODISCARD dip_status dip_import_wikipedia(const char *const *names,
                                                      const char *const *values, size_t n,
                                                      const char *output, unsigned flags,
                                                      const dip_watch *watch, dip_report **report,
                                                      dip_error *err);

/* Writes a project file for RecBole's atomic files (NAME.inter, and NAME.item and NAME.user where
 * they are), which stay where they are. Without NAME.item, items.tsv is written beside it.
 *
 * source   a folder with one NAME.inter, or the files' path without the ending
 * names    [n] settings: user, item, time (columns of the interactions), text (columns, by commas)
 * output   the project file
 * flags    0 or DIP_REPLACE
 * report   may be NULL; files, columns, warnings. Caller frees.
 * DIP_ERR_FORMAT   a header whose cells are not NAME:TYPE, with file and column. */
DIP_API DIP_NODISCARD dip_status dip_import_recbole(const char *source, const char *const *names,
                                                    const char *const *values, size_t n,
                                                    const char *output, unsigned flags,
                                                    const dip_watch *watch, dip_report **report,
                                                    dip_error *err);

/* ---- datasets -------------------------------------------------------------------------------- */

/* Opens a dataset folder by memory map and verifies every checksum and index range.
 *
 * DIP_ERR_FORMAT   a part is missing, truncated or altered; the text names it. */
DIP_API DIP_NODISCARD dip_status dip_dataset_open(dip_dataset **dataset, const char *path,
                                                  dip_error *err);
DIP_API void dip_dataset_close(dip_dataset *dataset);

/* The configuration that the dataset's project file asked for, as a copy to be changed and
 * freed. */
DIP_API DIP_NODISCARD dip_status dip_dataset_config(const dip_dataset *dataset, dip_config **config,
                                                    dip_error *err);

DIP_API int64_t dip_dataset_item_count(const dip_dataset *dataset);
DIP_API int64_t dip_dataset_query_count(const dip_dataset *dataset);

/* The number of pairs in "train", "validation" or "test"; -1 for another name. */
DIP_API int64_t dip_dataset_pair_count(const dip_dataset *dataset, const char *split);

/* The id and title of an item row; NULL out of range. The title is "" when there is none. Neither
 * is NUL-terminated: *length bytes are valid. */
DIP_API const char *dip_dataset_item_id(const dip_dataset *dataset, int64_t item, size_t *length);
DIP_API const char *dip_dataset_item_title(const dip_dataset *dataset, int64_t item,
                                           size_t *length);

/* What is in a dataset, what is wrong with it, and what training on it with this configuration will
 * cost: rows and splits with what they leak, features, popularity, mutual information with the
 * masks of each CFM seed, a forecast of memory, disk and time, and findings: objects with level
 * ("note", "warning", "problem"), about, text and advice. docs/check.md defines every number.
 *
 * flags    0 or DIP_QUICK
 * report   caller frees
 * DIP_ERR_MEMORY   columns are walked, but 25 bytes an item and 8 a row of the largest table are
 *                  needed, and without DIP_QUICK what training itself needs. */
DIP_API DIP_NODISCARD dip_status dip_check(const dip_dataset *dataset, const dip_config *config,
                                           unsigned flags, const dip_watch *watch,
                                           dip_report **report, dip_error *err);

/* ---- training -------------------------------------------------------------------------------- */

/* Losses are means over the batch, in nats. */
typedef struct dip_step {
    int64_t step;         /* 1 for the first */
    int64_t epoch;        /* 0 for the first */
    int64_t examples;     /* training pairs seen so far */
    double loss;          /* L_main + alpha L_self (Eq. 5) */
    double loss_main;     /* batch softmax (Eq. 6) */
    double loss_self;     /* Eq. 3, or the spread-out term; 0 when there is none */
    double rate;          /* learning rate of this step */
    double gradient_norm; /* Euclidean norm of the dense layers' gradients */
} dip_step;

/* Allocates and initialises parameters, optimizer state and batch buffers. Keeps the dataset. */
DIP_API DIP_NODISCARD dip_status dip_trainer_create(dip_trainer **trainer,
                                                    const dip_dataset *dataset,
                                                    const dip_config *config, dip_error *err);
DIP_API void dip_trainer_free(dip_trainer *trainer);

/* One optimisation step on the next batch of N pairs (q_i, x_i).
 *
 *   L_main = mean over i of -log softmax_j( s(q_i, x_j)/tau - log p_j ) at j = i         (Eq. 6)
 *   L_self = mean over i of -log softmax_j( s(z_i, z'_j)/tau' ) at j = i                 (Eq. 3)
 *   L      = L_main + alpha L_self                                                       (Eq. 5)
 *
 * The term log p_j is the sampling-bias correction of Yi et al. (RecSys 2019), absent with
 * train.logq = none. z and z' are two augmented views of items drawn uniformly from the catalogue.
 *
 * step                may be NULL
 * DIP_END             the epochs are over; nothing was changed
 * DIP_ERR_NONFINITE   parameters are those before the call; the text names step, loss part,
 *                     tensor. The same batch comes next, unless it is skipped. */
DIP_API DIP_NODISCARD dip_status dip_trainer_step(dip_trainer *trainer, dip_step *step,
                                                  dip_error *err);

/* Passes over the next batch: the step is counted, parameters and optimizer stay as they are.
 * Nothing at the end. */
DIP_API void dip_trainer_skip(dip_trainer *trainer);

/* Writes the current parameters as a model folder, atomically. flags: 0 or DIP_REPLACE. */
DIP_API DIP_NODISCARD dip_status dip_trainer_save(const dip_trainer *trainer, const char *path,
                                                  unsigned flags, dip_error *err);

/* The whole training run: steps, validation each epoch, early stopping; writes the best model so
 * far to output after each validation that improves on it, and the last one without a validation
 * split. A batch whose loss or gradient is not finite is left out and listed in quarantine.jsonl.
 *
 * Beside the output, in the folder output.checkpoints, a checkpoint is written every
 * train.checkpoint_every steps and when the callback stops the run. It goes away at the end. With
 * DIP_RESUME the run goes on from the last whole checkpoint, to the very bits of a run that was
 * never stopped; it starts when there is none, and does nothing when the model is finished already.
 *
 * flags               0, DIP_REPLACE, DIP_RESUME or both
 * report              may be NULL; steps, losses, best validation metric, warnings. Caller frees.
 * DIP_ERR_USAGE       the output or checkpoints exist and no flag is given, or the checkpoint has
 *                     other options; the text names the first that differs
 * DIP_ERR_FAILED      the checkpoint is of another dataset or precision, or another process trains
 *                     into the same output
 * DIP_ERR_FORMAT      checkpoints are there and none is whole, or it needs a newer version
 * DIP_ERR_IO          a checkpoint or the model could not be written: the ones before it are whole
 * DIP_ERR_NONFINITE   train.nonfinite_limit batches in a row, or a parameter, are not finite; the
 *                     last good model, if an epoch had been finished, stays at output, and so does
 *                     the last checkpoint. */
DIP_API DIP_NODISCARD dip_status dip_train(const dip_dataset *dataset, const dip_config *config,
                                           const char *output, unsigned flags,
                                           const dip_watch *watch, dip_report **report,
                                           dip_error *err);

/* ---- studies --------------------------------------------------------------------------------- */

/* Settings of a study that are no options of its runs, described as options are. */
DIP_API size_t dip_experiment_setting_count(void);
DIP_API DIP_NODISCARD dip_status dip_experiment_setting_get(size_t index, dip_option_info *info,
                                                            dip_error *err);

/* The YAML text of a study that is built in ("quick", "paper", ...). Lives as long as the process.
 *
 * DIP_ERR_USAGE   there is none of this name; the text lists those that there are */
DIP_API DIP_NODISCARD dip_status dip_experiment_preset(const char *name, const char **text,
                                                       dip_error *err);

/* Compares methods on a dataset: chooses their options on the validation split, trains what was
 * chosen with several seeds, ranks the test pairs once, and writes a report: index.html, which is
 * one file, results.json, tables.csv and runs.csv. Finished runs stay in output/runs, so that a
 * study which was stopped goes on with the same call.
 *
 * names    [n] settings of the study, or options of every run such as "train.rate"
 * values   [n] their values as text
 * flags    0, or DIP_REPLACE: the output may be of another study
 * report   may be NULL; what results.json says. Caller frees.
 * DIP_ERR_USAGE    an unknown setting; a mistake in the study, with file, line and column; the
 *                  output holds another study, or something else
 * DIP_ERR_FAILED   a split has no pairs, or another process works on the output */
DIP_API DIP_NODISCARD dip_status dip_experiment(const dip_dataset *dataset,
                                                const char *const *names, const char *const *values,
                                                size_t n, const char *output, unsigned flags,
                                                const dip_watch *watch, dip_report **report,
                                                dip_error *err);

/* Settings of dip_tune that are no options of its runs, described as options are. */
DIP_API size_t dip_tune_setting_count(void);
DIP_API DIP_NODISCARD dip_status dip_tune_setting_get(size_t index, dip_option_info *info,
                                                      dip_error *err);

/* Looks for the options that do best on the validation split, by successive halving, and writes
 * output/best.yaml, which dip_config_load takes, and output/tune.json. The options that are given
 * are not varied. The test split is not looked at. Arguments and errors are those of
 * dip_experiment. */
DIP_API DIP_NODISCARD dip_status dip_tune(const dip_dataset *dataset, const char *const *names,
                                          const char *const *values, size_t n, const char *output,
                                          unsigned flags, const dip_watch *watch,
                                          dip_report **report, dip_error *err);

/* ---- models ---------------------------------------------------------------------------------- */

/* Loads a model folder and verifies its checksums. */
DIP_API DIP_NODISCARD dip_status dip_model_load(dip_model **model, const char *path,
                                                dip_error *err);
DIP_API void dip_model_free(dip_model *model);

/* The width D of the vectors. */
DIP_API size_t dip_model_dim(const dip_model *model);

/* The path of the dataset that the model was trained on. Borrowed. */
DIP_API const char *dip_model_dataset_path(const dip_model *model);

/* The configuration that the model was trained with, as a copy to be changed and freed. */
DIP_API DIP_NODISCARD dip_status dip_model_config(const dip_model *model, dip_config **config,
                                                  dip_error *err);

/* Unit vectors of n rows of the catalogue, or of the queries.
 *
 * rows      [n], each in [0, item count) or [0, query count)
 * vectors   [n x D] out
 * DIP_ERR_FAILED   the dataset has other features or vocabularies than the model. */
DIP_API DIP_NODISCARD dip_status dip_model_encode_items(const dip_model *model,
                                                        const dip_dataset *dataset,
                                                        const int64_t *rows, size_t n,
                                                        float *vectors, dip_error *err);
DIP_API DIP_NODISCARD dip_status dip_model_encode_queries(const dip_model *model,
                                                          const dip_dataset *dataset,
                                                          const int64_t *rows, size_t n,
                                                          float *vectors, dip_error *err);

/* The unit vector of something never seen, given its features as the raw files would.
 *
 * side          "item" or "query"
 * names, values [n] feature name and cell text; features left out take their default embedding
 * vector        [D] out
 * DIP_ERR_USAGE    an unknown feature (the nearest one is named), or a number that is not one. */
DIP_API DIP_NODISCARD dip_status dip_model_encode_features(const dip_model *model, const char *side,
                                                           const char *const *names,
                                                           const char *const *values, size_t n,
                                                           float *vector, dip_error *err);

/* Exact metrics over the whole catalogue: recall, MAP, NDCG, MRR and hit rate at each evaluate.k,
 * on all pairs and on the head, tail and cold slices, with TopPopular and Random beside the model
 * and bootstrap 95% intervals. config: the evaluate.* options. See docs/evaluation.md for both
 * protocols. */
DIP_API DIP_NODISCARD dip_status dip_evaluate(const dip_model *model, const dip_dataset *dataset,
                                              const dip_config *config, const dip_watch *watch,
                                              dip_report **report, dip_error *err);

/* ---- retrieval ------------------------------------------------------------------------------- */

/* Encodes the whole catalogue for exact search. Keeps the model and the dataset. */
DIP_API DIP_NODISCARD dip_status dip_index_build(dip_index **index, const dip_model *model,
                                                 const dip_dataset *dataset, const dip_watch *watch,
                                                 dip_error *err);
DIP_API void dip_index_free(dip_index *index);

/* The k best items for each query vector, best first, by cosine; ties by smaller row.
 *
 * queries  [n x D] unit vectors      k >= 1
 * items    [n x k] out; -1 where fewer than k exist
 * scores   [n x k] out; -INFINITY likewise */
DIP_API DIP_NODISCARD dip_status dip_index_search(const dip_index *index, const float *queries,
                                                  size_t n, size_t k, int64_t *items, float *scores,
                                                  dip_error *err);

/* The k best items for a known query id. The query item itself is left out.
 *
 * items, scores   [k] out      found   how many of them are valid
 * DIP_ERR_USAGE   an unknown id; the text names the ids nearest in spelling. */
DIP_API DIP_NODISCARD dip_status dip_index_recommend(const dip_index *index, const char *query_id,
                                                     size_t k, int64_t *items, float *scores,
                                                     size_t *found, dip_error *err);

/* ---- files ----------------------------------------------------------------------------------- */

/* Says what a dataset, model, .npy or .safetensors file or a project file holds, from its
 * header. */
DIP_API DIP_NODISCARD dip_status dip_inspect(const char *path, dip_report **report, dip_error *err);

#ifdef __cplusplus
}
#endif
#endif
