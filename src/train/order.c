/* SPDX-License-Identifier: Apache-2.0 */
#include "train/order.h"

/* Streams of the permutations. That of one window is the number of the epoch; the order of windows
 * and that within each have bits above it, which no epoch reaches. */
enum { WINDOW_BITS = 20 };
#define ORDER_OF_WINDOWS ((uint64_t)1 << 63)

/* Pairs that are asked for at a time. */
enum { PAIR_BYTES = 8, ASK_PAIRS = DIP_MAP_PIECE / PAIR_BYTES };

dip_order dip_order_make(dip_rng rng, uint64_t epoch, uint64_t n, uint64_t window) {
    dip_order order = {.rng = rng, .epoch = epoch, .n = n, .window = n, .n_windows = 1};
    if (window > 0 && window < n) {
        order.window = window;
        order.n_windows = (n - 1) / window + 1;
        order.windows = dip_permutation_make(rng, ORDER_OF_WINDOWS | epoch, order.n_windows);
        order.short_turn = dip_permute_back(&order.windows, order.n_windows - 1);
    }
    return order;
}

/* Pairs of the last window. */
static uint64_t short_size(const dip_order *order) {
    return order->n - (order->n_windows - 1) * order->window;
}

dip_window dip_order_window(const dip_order *order, uint64_t place) {
    if (order->n_windows == 1) {
        return (dip_window){.n = order->n};
    }
    const uint64_t missing = order->window - short_size(order);
    const bool is_behind = place >= (order->short_turn + 1) * order->window - missing;
    const uint64_t turn = (is_behind ? place + missing : place) / order->window;
    const uint64_t number = dip_permute(&order->windows, turn);
    return (dip_window){.number = number,
                        .row = number * order->window,
                        .place = turn * order->window - (is_behind ? missing : 0),
                        .n = number + 1 == order->n_windows ? short_size(order) : order->window};
}

dip_permutation dip_order_within(const dip_order *order, const dip_window *window) {
    const uint64_t stream =
        order->n_windows == 1 ? order->epoch : ((window->number + 1) << WINDOW_BITS) | order->epoch;
    return dip_permutation_make(order->rng, stream, window->n);
}

uint64_t dip_order_row(const dip_order *order, uint64_t place) {
    const dip_window window = dip_order_window(order, place);
    const dip_permutation within = dip_order_within(order, &window);
    return window.row + dip_permute(&within, place - window.place);
}

static void advise(const dip_map *map, size_t start, uint64_t row, uint64_t n, dip_advice advice) {
    dip_map_advise(map, start + (size_t)row * PAIR_BYTES, (size_t)n * PAIR_BYTES, advice);
}

/* The window behind one, at the end of the epoch the first of the next. */
static dip_window window_behind(const dip_order *order, const dip_window *window) {
    const uint64_t end = window->place + window->n;
    if (end < order->n) {
        return dip_order_window(order, end);
    }
    const dip_order following =
        dip_order_make(order->rng, order->epoch + 1, order->n, order->window);
    return dip_order_window(&following, 0);
}

void dip_ahead_move(dip_ahead *ahead, const dip_order *order, const dip_map *map, size_t start,
                    uint64_t begin, uint64_t end) {
    if (order->n_windows == 1) {
        return;
    }
    const dip_window window = dip_order_window(order, begin);
    if (ahead->current.n == 0 || window.number != ahead->current.number) {
        advise(map, start, ahead->current.row, ahead->current.n, DIP_ADVICE_DONE);
        if (ahead->current.n == 0 || window.number != ahead->next.number) {
            advise(map, start, window.row, window.n, DIP_ADVICE_SOON);
        }
    }
    if (ahead->current.n == 0 || window.number != ahead->current.number ||
        window.place != ahead->current.place) {
        ahead->current = window;
        ahead->next = window_behind(order, &window);
        ahead->asked = 0;
    }
    /* The next window comes in as fast as this one goes, a piece at a time. */
    const uint64_t done = (end < window.place + window.n ? end : window.place + window.n) - begin;
    const double share = (double)(begin - window.place + done) / (double)window.n;
    const uint64_t pieces = (uint64_t)(share * (double)ahead->next.n) / ASK_PAIRS + 1;
    const uint64_t wanted = pieces * ASK_PAIRS < ahead->next.n ? pieces * ASK_PAIRS : ahead->next.n;
    if (wanted > ahead->asked && ahead->next.number != window.number) {
        advise(map, start, ahead->next.row + ahead->asked, wanted - ahead->asked, DIP_ADVICE_SOON);
        ahead->asked = wanted;
    }
}
