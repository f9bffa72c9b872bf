/* SPDX-License-Identifier: Apache-2.0
 *
 * The one file that knows Arrow C++: opens Parquet and Arrow IPC files and hands their batches over
 * by the C Data Interface. It is a module of its own; see arrow_abi.h. Nothing may be thrown out of
 * it, and nothing that a damaged file says is believed: pages are checked against their checksums
 * where they have one, and every batch is validated before it is handed over.
 */
#include "data/arrow_abi.h"

#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <vector>

using arrow::RecordBatch;
using arrow::RecordBatchReader;
using arrow::Schema;
using arrow::Status;

struct dip_arrow_file {
    std::shared_ptr<arrow::io::RandomAccessFile> file;
    std::shared_ptr<Schema> schema;
    std::unique_ptr<parquet::arrow::FileReader> parquet; /* or none: IPC */
};

namespace {

dip_arrow_outcome fail(const Status &status, char *message) {
    std::snprintf(message, DIP_ARROW_MESSAGE, "%s", status.message().c_str());
    return status.IsOutOfMemory()                             ? DIP_ARROW_NO_MEMORY
           : status.IsIOError() && status.detail() != nullptr ? DIP_ARROW_IO
                                                              : DIP_ARROW_BAD_FILE;
}

/* Calls what may throw. */
template <typename Call> dip_arrow_outcome guarded(char *message, Call call) {
    try {
        const Status status = call();
        return status.ok() ? DIP_ARROW_GOOD : fail(status, message);
    } catch (const std::bad_alloc &) {
        return fail(Status::OutOfMemory("out of memory"), message);
    } catch (const std::exception &problem) {
        return fail(Status::Invalid(problem.what()), message);
    } catch (...) {
        return fail(Status::Invalid("an unknown exception"), message);
    }
}

/* Batches of at most DIP_ARROW_BATCH rows, each validated in full. */
class CheckedReader : public RecordBatchReader {
  public:
    explicit CheckedReader(std::shared_ptr<Schema> schema) : schema_(std::move(schema)) {
    }

    std::shared_ptr<Schema> schema() const override {
        return schema_;
    }

    Status ReadNext(std::shared_ptr<RecordBatch> *batch) override {
        try {
            return Next(batch);
        } catch (const std::bad_alloc &) {
            return Status::OutOfMemory("out of memory");
        } catch (const std::exception &problem) {
            return Status::Invalid(problem.what());
        }
    }

  protected:
    /* The file's next batch, or none. */
    virtual Status Fetch(std::shared_ptr<RecordBatch> *batch) = 0;

  private:
    Status Next(std::shared_ptr<RecordBatch> *batch) {
        while (whole_ == nullptr || at_ == whole_->num_rows()) {
            at_ = 0;
            ARROW_RETURN_NOT_OK(Fetch(&whole_));
            if (whole_ == nullptr) {
                *batch = nullptr;
                return Status::OK();
            }
            if (!whole_->schema()->Equals(*schema_, false)) {
                return Status::Invalid("a batch has other columns than the file");
            }
            ARROW_RETURN_NOT_OK(whole_->ValidateFull());
        }
        *batch = whole_->Slice(at_, DIP_ARROW_BATCH);
        at_ += (*batch)->num_rows();
        return Status::OK();
    }

    std::shared_ptr<Schema> schema_;
    std::shared_ptr<RecordBatch> whole_;
    int64_t at_ = 0;
};

class ParquetReader : public CheckedReader {
  public:
    explicit ParquetReader(std::unique_ptr<RecordBatchReader> inner)
        : CheckedReader(inner->schema()), inner_(std::move(inner)) {
    }

  protected:
    Status Fetch(std::shared_ptr<RecordBatch> *batch) override {
        return inner_->ReadNext(batch);
    }

  private:
    std::unique_ptr<RecordBatchReader> inner_;
};

class IpcReader : public CheckedReader {
  public:
    explicit IpcReader(std::shared_ptr<arrow::ipc::RecordBatchFileReader> inner)
        : CheckedReader(inner->schema()), inner_(std::move(inner)) {
    }

  protected:
    Status Fetch(std::shared_ptr<RecordBatch> *batch) override {
        if (next_ == inner_->num_record_batches()) {
            *batch = nullptr;
            return Status::OK();
        }
        return inner_->ReadRecordBatch(next_++).Value(batch);
    }

  private:
    std::shared_ptr<arrow::ipc::RecordBatchFileReader> inner_;
    int next_ = 0;
};

/* ---- opening --------------------------------------------------------------------------------- */

Status open_parquet(dip_arrow_file *file, int64_t *n_rows) {
    parquet::ReaderProperties properties(arrow::system_memory_pool());
    properties.set_page_checksum_verification(true);
    properties.enable_buffered_stream();
    parquet::ArrowReaderProperties arrow_properties(false);
    arrow_properties.set_batch_size(DIP_ARROW_BATCH);
    arrow_properties.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Open(file->file, properties));
    builder.memory_pool(arrow::system_memory_pool())->properties(arrow_properties);
    ARROW_RETURN_NOT_OK(builder.Build(&file->parquet));
    *n_rows = file->parquet->parquet_reader()->metadata()->num_rows();
    return file->parquet->GetSchema(&file->schema);
}

arrow::ipc::IpcReadOptions ipc_options() {
    arrow::ipc::IpcReadOptions options;
    options.memory_pool = arrow::system_memory_pool();
    options.use_threads = false;
    options.max_recursion_depth = 16;
    return options;
}

Status open_ipc(dip_arrow_file *file, int64_t *n_rows) {
    ARROW_ASSIGN_OR_RAISE(auto reader,
                          arrow::ipc::RecordBatchFileReader::Open(file->file, ipc_options()));
    file->schema = reader->schema();
    return reader->CountRows().Value(n_rows);
}

dip_arrow_outcome open_file(int fd, int is_parquet, dip_arrow_file **file,
                            struct ArrowSchema *schema, int64_t *n_rows, char *message) {
    std::unique_ptr<dip_arrow_file> opened;
    const dip_arrow_outcome outcome = guarded(message, [&]() -> Status {
        ARROW_ASSIGN_OR_RAISE(auto readable, arrow::io::ReadableFile::Open(fd));
        opened = std::make_unique<dip_arrow_file>();
        opened->file = std::move(readable);
        ARROW_RETURN_NOT_OK(is_parquet ? open_parquet(opened.get(), n_rows)
                                       : open_ipc(opened.get(), n_rows));
        return arrow::ExportSchema(*opened->schema, schema);
    });
    *file = outcome == DIP_ARROW_GOOD ? opened.release() : nullptr;
    return outcome;
}

/* ---- reading --------------------------------------------------------------------------------- */

void add_leaves(const parquet::arrow::SchemaField &field, std::vector<int> *leaves) {
    if (field.is_leaf()) {
        leaves->push_back(field.column_index);
    }
    for (const auto &child : field.children) {
        add_leaves(child, leaves);
    }
}

Status read_parquet(dip_arrow_file *file, const std::vector<int> &columns,
                    std::shared_ptr<RecordBatchReader> *reader) {
    std::vector<int> groups(static_cast<size_t>(file->parquet->num_row_groups()));
    std::vector<int> leaves;
    for (size_t i = 0; i < groups.size(); i++) {
        groups[i] = static_cast<int>(i);
    }
    const auto &fields = file->parquet->manifest().schema_fields;
    for (const int column : columns) {
        add_leaves(fields.at(static_cast<size_t>(column)), &leaves);
    }
    ARROW_ASSIGN_OR_RAISE(auto inner, file->parquet->GetRecordBatchReader(groups, leaves));
    *reader = std::make_shared<ParquetReader>(std::move(inner));
    return Status::OK();
}

Status read_ipc(dip_arrow_file *file, const std::vector<int> &columns,
                std::shared_ptr<RecordBatchReader> *reader) {
    arrow::ipc::IpcReadOptions options = ipc_options();
    options.included_fields = columns;
    ARROW_ASSIGN_OR_RAISE(auto inner, arrow::ipc::RecordBatchFileReader::Open(file->file, options));
    *reader = std::make_shared<IpcReader>(std::move(inner));
    return Status::OK();
}

dip_arrow_outcome read_file(dip_arrow_file *file, const int *columns, int n_columns,
                            struct ArrowArrayStream *stream, char *message) {
    return guarded(message, [&]() -> Status {
        const std::vector<int> wanted(columns, columns + n_columns);
        std::shared_ptr<RecordBatchReader> reader;
        ARROW_RETURN_NOT_OK(file->parquet != nullptr ? read_parquet(file, wanted, &reader)
                                                     : read_ipc(file, wanted, &reader));
        return arrow::ExportRecordBatchReader(std::move(reader), stream);
    });
}

void close_file(dip_arrow_file *file) {
    delete file;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const dip_arrow_bridge *
dip_arrow_bridge_get(void) {
    static const dip_arrow_bridge TABLE = {DIP_ARROW_VERSION, open_file, read_file, close_file};
    return &TABLE;
}
