#include "helper/report/summary.h"

#include "helper/pg_frontend.h"

#include <ctime>

namespace failback {

namespace {

// Seconds from 1970-01-01 to 2000-01-01, where PostgreSQL's timestamps start.
constexpr int64_t postgres_epoch = 946684800;

struct Moment {
    std::tm calendar{}; // UTC
    int microseconds = 0;
};

Moment moment_of(int64_t timestamptz)
{
    Moment moment;
    int64_t seconds = timestamptz / 1000000;
    moment.microseconds = static_cast<int>(timestamptz % 1000000);
    if (moment.microseconds < 0) {
        moment.microseconds += 1000000;
        seconds--;
    }
    auto since_1970 = static_cast<time_t>(seconds + postgres_epoch);
    gmtime_r(&since_1970, &moment.calendar);
    return moment;
}

std::string plain_time(int64_t timestamptz)
{
    char text[64];
    Moment moment = moment_of(timestamptz);
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &moment.calendar);
    return text;
}

std::string counted(uint64_t count, const char *one, const char *many)
{
    return format("%llu %s", static_cast<unsigned long long>(count), count == 1 ? one : many);
}

std::string counted(int64_t count, const char *one, const char *many)
{
    return counted(static_cast<uint64_t>(count), one, many);
}

std::string times_line(const Summary &summary)
{
    std::string line;
    for (size_t i = 0; i < phase_count; i++)
        if (summary.phase_seconds[i] > 0)
            line += format("%s%s %.2f s", line.empty() ? "" : ", ", phase_name(static_cast<Phase>(i)), summary.phase_seconds[i]);
    return format("took %.2f s", summary.total_seconds) + (line.empty() ? "" : ": " + line);
}

} // namespace

std::string timestamp_text(int64_t timestamptz)
{
    char text[64];
    Moment moment = moment_of(timestamptz);
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &moment.calendar);
    return format("%s.%06dZ", text, moment.microseconds);
}

std::string size_text(int64_t bytes)
{
    if (bytes < 1024)
        return format("%lld bytes", static_cast<long long>(bytes));
    static constexpr const char *units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = static_cast<double>(bytes) / 1024;
    size_t unit = 0;
    for (; value >= 1023.5 && unit + 1 < std::size(units); unit++)
        value /= 1024;
    return format(value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void take_times(Summary &summary, const Progress &progress)
{
    for (size_t i = 0; i < phase_count; i++)
        summary.phase_seconds[i] = progress.seconds(static_cast<Phase>(i));
    summary.total_seconds = progress.total_seconds();
}

std::vector<std::string> summary_lines(const Summary &summary)
{
    std::vector<std::string> lines;
    if (summary.outcome == Outcome::done || summary.outcome == Outcome::dry_run) {
        std::string fetched = (summary.outcome == Outcome::dry_run ? "would fetch " : "fetched ") + size_text(summary.bytes_fetched);
        if (summary.outcome == Outcome::done) {
            fetched += ", " + size_text(summary.bytes_received) + " over the connection";
            if (summary.bytes_staged > 0)
                fetched += ", " + size_text(summary.bytes_staged) + " staged";
        }
        lines.push_back(fetched);
        lines.push_back(std::string(summary.outcome == Outcome::dry_run ? "would be: " : "")
                        + counted(summary.files_replaced, "file", "files") + " written whole, "
                        + counted(summary.blocks_replaced, "block", "blocks") + " of " + counted(summary.files_changed, "file", "files")
                        + " replaced, " + counted(summary.files_removed, "file", "files") + " removed, "
                        + counted(summary.files_kept, "file", "files") + " kept as they were");
    }
    lines.push_back(times_line(summary));
    return lines;
}

std::vector<std::string> lost_work_lines(const LostWork &lost, Lsn divergence, bool dry_run)
{
    std::vector<std::string> lines;
    const char *end = dry_run ? "would be gone" : "are gone";
    if (lost.commits > 0) {
        std::string line = "the old primary had " + counted(lost.commits, "committed transaction", "committed transactions")
                           + " after " + divergence.text();
        if (lost.first_commit_time != 0)
            line += lost.commits == 1 ? ", at " + plain_time(lost.first_commit_time)
                                      : ", first at " + plain_time(lost.first_commit_time) + ", last at "
                                            + plain_time(lost.last_commit_time);
        lines.push_back(line + (lost.commits == 1 && !dry_run ? "; it is gone" : format("; %s %s", lost.commits == 1 ? "it" : "they", end)));
    }
    if (lost.prepared > 0)
        lines.push_back("the old primary had prepared "
                        + counted(lost.prepared, "transaction", "transactions") + " after " + divergence.text() + ", which "
                        + (lost.prepared == 1 && !dry_run ? "is gone" : end));
    return lines;
}

void log_summary(const Summary &summary)
{
    if (summary.lost)
        for (const std::string &line : lost_work_lines(*summary.lost, summary.divergence, summary.outcome == Outcome::dry_run))
            pg_log_info("%s", line.c_str());
    for (const std::string &line : summary_lines(summary))
        pg_log_info("%s", line.c_str());
}

} // namespace failback
