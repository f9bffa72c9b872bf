/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/workers.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TELL_MILLISECONDS = 200, JOBS_MAX = 256, DETAIL_BYTES = 400 };

typedef struct workers_state workers_state;

typedef struct worker {
    workers_state *state;
    pthread_t thread;
    bool is_started;
    size_t run;    /* n when it has none */
    uint64_t done; /* work of the current run */
    char detail[DETAIL_BYTES];
    dip_error err;
} worker;

struct workers_state {
    dip_workers *plan;
    const dip_run *runs;
    const char *const *labels;
    size_t n;
    size_t next; /* the first run that nobody has taken */
    int jobs;
    int working; /* workers with a run */
    int alive;
    bool stops;
    bool was_interrupted; /* by the caller's callback, not by a failure */
    dip_status status;
    dip_error err;
    worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

uint64_t dip_workers_work(const dip_run *run) {
    return (uint64_t)run->data->dataset->n_pairs[0] * (uint64_t)run->config.train.epochs;
}

int dip_workers_jobs(int64_t wanted, int threads, double bytes_of_a_run, double available) {
    if (wanted > 0) {
        return wanted < JOBS_MAX ? (int)wanted : JOBS_MAX;
    }
    const bool is_known = bytes_of_a_run > 0 && available > 0;
    const double fitting = is_known ? available / 2 / bytes_of_a_run : threads;
    const double most = fitting < threads ? fitting : threads;
    return most < 1 ? 1 : most < JOBS_MAX ? (int)most : JOBS_MAX;
}

/* ---- what is to be made ---------------------------------------------------------------------- */

dip_status dip_run_list_create(dip_run_list *list, size_t most, dip_error *err) {
    memset(list, 0, sizeof *list);
    list->runs = dip_alloc(most, sizeof *list->runs, "runs", err);
    list->texts = dip_alloc(most, sizeof *list->texts, "runs", err);
    list->labels = dip_alloc(most, sizeof *list->labels, "runs", err);
    if (list->runs == NULL || list->texts == NULL || list->labels == NULL) {
        dip_run_list_free(list);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

void dip_run_list_add(dip_run_list *list, const char *folder, const dip_run *run,
                      const char *label) {
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->runs[i].key, run->key) == 0) {
            return;
        }
    }
    if (dip_run_is_made(folder, run)) {
        return;
    }
    list->runs[list->n] = *run;
    snprintf(list->texts[list->n], sizeof list->texts[0], "%s", label);
    list->labels[list->n] = list->texts[list->n];
    list->n++;
}

void dip_run_list_free(dip_run_list *list) {
    dip_free(list->runs);
    dip_free(list->texts);
    dip_free(list->labels);
    memset(list, 0, sizeof *list);
}

/* ---- workers --------------------------------------------------------------------------------- */

/* From the thread of a run: notes how far it is. Only the training counts. */
static int note(void *context, const dip_progress *progress) {
    worker *w = context;
    workers_state *s = w->state;
    pthread_mutex_lock(&s->lock);
    if (strcmp(progress->phase, "training") == 0) {
        w->done = progress->done;
        snprintf(w->detail, sizeof w->detail, "%s", progress->detail);
    }
    const bool stops = s->stops;
    pthread_mutex_unlock(&s->lock);
    return stops;
}

/* The last runs share what threads the finished ones have left. */
static int threads_of(const workers_state *s) {
    const size_t waiting = s->n - s->next;
    const size_t beside = (size_t)s->working + waiting;
    const size_t at_a_time = beside < (size_t)s->jobs ? beside : (size_t)s->jobs;
    const int threads = s->plan->threads / (int)(at_a_time > 0 ? at_a_time : 1);
    return threads > 0 ? threads : 1;
}

/* Takes the next run; false when there is none. With the lock held. */
static bool take_run(worker *w, int *threads) {
    workers_state *s = w->state;
    if (s->stops || s->next == s->n) {
        return false;
    }
    w->run = s->next++;
    w->done = 0;
    w->detail[0] = '\0';
    s->working++;
    *threads = threads_of(s);
    return true;
}

static void end_run(worker *w, dip_status status) {
    workers_state *s = w->state;
    s->working--;
    if (status == DIP_OK) {
        s->plan->done += dip_workers_work(&s->runs[w->run]);
        s->plan->runs_done++;
    } else if (s->status == DIP_OK && !s->was_interrupted) {
        s->status = status;
        s->err = w->err;
        s->stops = true;
    }
    w->run = s->n;
    w->done = 0;
}

static void *run_worker(void *argument) {
    worker *w = argument;
    workers_state *s = w->state;
    const dip_watch watch = {.on_progress = note, .context = w};
    int threads = 1;
    pthread_mutex_lock(&s->lock);
    while (take_run(w, &threads)) {
        const dip_run *run = &s->runs[w->run];
        pthread_mutex_unlock(&s->lock);
        dip_status status = dip_run_make(s->plan->folder, run, threads, &watch, &w->err);
        if (status != DIP_OK && status != DIP_ERR_INTERRUPTED) {
            status = dip_fail_context(&w->err, status, "%s", s->labels[w->run]);
        }
        pthread_mutex_lock(&s->lock);
        end_run(w, status);
        pthread_cond_signal(&s->changed);
    }
    s->alive--;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the caller ------------------------------------------------------------------------------ */

/* With the lock held. */
static dip_progress progress_of(const workers_state *s, char detail[DETAIL_BYTES]) {
    uint64_t done = s->plan->done;
    const worker *shown = NULL;
    for (int i = 0; i < s->jobs; i++) {
        const worker *w = &s->workers[i];
        done += w->run < s->n ? w->done : 0;
        shown = shown == NULL && w->run < s->n ? w : shown;
    }
    const int used =
        snprintf(detail, DETAIL_BYTES, "run %zu of %zu", s->plan->runs_done, s->plan->runs_total);
    if (shown != NULL) {
        snprintf(detail + used, DETAIL_BYTES - (size_t)used, "  %d at a time  %.100s  %.200s",
                 s->working, s->labels[shown->run], shown->detail);
    }
    return (dip_progress){.phase = "running the study",
                          .unit = "examples",
                          .detail = detail,
                          .done = done < s->plan->total ? done : s->plan->total,
                          .total = s->plan->total};
}

static void wait_a_little(workers_state *s) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TELL_MILLISECONDS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* Tells the caller now and then, until the last worker has ended. */
static void watch_workers(workers_state *s) {
    dip_error err = {DIP_OK, ""};
    pthread_mutex_lock(&s->lock);
    while (s->alive > 0) {
        char detail[DETAIL_BYTES];
        const dip_progress progress = progress_of(s, detail);
        pthread_mutex_unlock(&s->lock);
        const dip_status status = dip_tell(s->plan->watch, &progress, &err);
        pthread_mutex_lock(&s->lock);
        if (status != DIP_OK && !s->stops) {
            s->stops = true;
            s->was_interrupted = true;
            s->status = DIP_ERR_INTERRUPTED;
        }
        if (s->alive > 0) {
            wait_a_little(s);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static dip_status start_workers(workers_state *s, dip_error *err) {
    for (int i = 0; i < s->jobs; i++) {
        worker *w = &s->workers[i];
        w->state = s;
        w->run = s->n;
        pthread_mutex_lock(&s->lock);
        s->alive++;
        pthread_mutex_unlock(&s->lock);
        if (pthread_create(&w->thread, NULL, run_worker, w) != 0) {
            pthread_mutex_lock(&s->lock);
            s->alive--;
            s->stops = true;
            pthread_mutex_unlock(&s->lock);
            return dip_fail(err, DIP_ERR_FAILED, "no thread could be started for a run");
        }
        w->is_started = true;
    }
    return DIP_OK;
}

static dip_status run_all(workers_state *s, dip_error *err) {
    s->workers = dip_alloc((size_t)s->jobs, sizeof *s->workers, "runs", err);
    if (s->workers == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status started = start_workers(s, err);
    watch_workers(s);
    for (int i = 0; i < s->jobs; i++) {
        if (s->workers[i].is_started) {
            pthread_join(s->workers[i].thread, NULL);
        }
    }
    dip_free(s->workers);
    DIP_TRY(started);
    if (s->was_interrupted) {
        return dip_fail(err, DIP_ERR_INTERRUPTED,
                        "interrupted; %zu of %zu runs are finished, those under way left "
                        "checkpoints",
                        s->plan->runs_done, s->plan->runs_total);
    }
    if (s->status != DIP_OK) {
        return dip_fail(err, s->status, "%s", s->err.message);
    }
    return DIP_OK;
}

dip_status dip_workers_make(dip_workers *workers, const dip_run *runs, const char *const *labels,
                            size_t n, dip_error *err) {
    workers_state s = {.plan = workers,
                       .runs = runs,
                       .labels = labels,
                       .n = n,
                       .jobs = n < (size_t)workers->jobs ? (int)n : workers->jobs,
                       .status = DIP_OK};
    if (n == 0) {
        return DIP_OK;
    }
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.changed, NULL);
    const dip_status status = run_all(&s, err);
    pthread_mutex_destroy(&s.lock);
    pthread_cond_destroy(&s.changed);
    return status;
}
