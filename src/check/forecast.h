/* SPDX-License-Identifier: Apache-2.0
 *
 * What training will cost. Sizes come from the list of tensors that the configuration asks for, and
 * from making the engine's buffers once, with tables of one row: so they are those of the engine
 * itself. What grows with the data is added by formulas, each stated where it stands.
 */
#ifndef DIP_CHECK_FORECAST_H
#define DIP_CHECK_FORECAST_H

#include "check/parts.h"

/* Bytes of memory of a training run, by what they are for. */
typedef struct dip_memory_forecast {
    double tables;
    double optimizer; /* state of tables and layers, and their mean (train.average) */
    double layers;    /* weights and gradients */
    double buffers;   /* activations, losses, item frequencies */
    double sparse;    /* gradients of table rows */
    double validation;
    double dataset; /* pages of the columns and pairs; the system can take them back */
    double program;
    double total;
} dip_memory_forecast;

typedef struct dip_forecast {
    dip_memory_forecast memory;
    double parameters;
    double model_bytes;
    double checkpoint_bytes;
    double machine_total; /* bytes of memory; 0 when unknown */
    double machine_available;
} dip_forecast;

/* Makes steps on the dataset and puts what they took, and what follows for the run, into
 * forecast["time"]. Parameters are thrown away. */
dip_status dip_check_time(const dip_checkup *check, const dip_forecast *sizes, json_t *forecast,
                          dip_error *err);

#endif
