#include "helper/report/progress.h"

#include "common/error.h"
#include "helper/report/summary.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace failback {

namespace {

double monotonic_seconds()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// "0:06", "12:30", "3:05:00"
std::string duration_text(double seconds)
{
    int64_t whole = std::llround(seconds);
    if (whole >= 3600)
        return format("%lld:%02d:%02d", static_cast<long long>(whole / 3600), static_cast<int>(whole / 60 % 60),
                      static_cast<int>(whole % 60));
    return format("%d:%02d", static_cast<int>(whole / 60), static_cast<int>(whole % 60));
}

std::string rate_text(int64_t bytes, double seconds)
{
    return size_text(static_cast<int64_t>(static_cast<double>(bytes) / seconds)) + "/s";
}

// Shorter times say nothing about the rate.
constexpr double shortest_for_rate = 0.05;

} // namespace

const char *phase_name(Phase phase)
{
    static constexpr std::array<const char *, phase_count> names = {"inspect", "scan", "compare", "plan",
                                                                    "fetch", "apply", "verify", "finish"};
    return names[static_cast<size_t>(phase)];
}

std::string progress_line(Phase phase, int64_t done, int64_t total, double elapsed_seconds)
{
    std::string line = format("%s: %s", phase_name(phase), size_text(done).c_str());
    // More than was planned is normal: a file may have grown.
    int64_t all = std::max(done, total);
    if (total > 0)
        line += format(" of %s (%d%%)", size_text(all).c_str(),
                       static_cast<int>(static_cast<double>(done) * 100 / static_cast<double>(all)));
    if (elapsed_seconds < shortest_for_rate || done <= 0)
        return line;
    line += ", " + rate_text(done, elapsed_seconds);
    if (total > 0)
        line += ", " + duration_text(static_cast<double>(all - done) * elapsed_seconds / static_cast<double>(done)) + " left";
    return line;
}

std::string finished_line(Phase phase, int64_t done, double elapsed_seconds)
{
    if (done <= 0)
        return format("%s: done in %.1f s", phase_name(phase), elapsed_seconds);
    std::string line = format("%s: %s in %.1f s", phase_name(phase), size_text(done).c_str(), elapsed_seconds);
    if (elapsed_seconds >= shortest_for_rate)
        line += " (" + rate_text(done, elapsed_seconds) + ")";
    return line;
}

Progress::Progress(bool enabled, std::FILE *out, bool terminal, Clock clock)
    : enabled_(enabled), out_(out), terminal_(terminal), clock_(clock ? std::move(clock) : Clock(monotonic_seconds)),
      created_(clock_())
{
}

Progress::~Progress()
{
    break_line();
}

void Progress::start(Phase phase, int64_t total_bytes)
{
    finish();
    phase_ = phase;
    started_ = clock_();
    done_ = 0;
    total_ = total_bytes;
    next_draw_ms_ = static_cast<int64_t>((started_ - created_) * 1000) + 1000;
    running_ = true;
}

void Progress::add(int64_t bytes)
{
    done_.fetch_add(bytes, std::memory_order_relaxed);
    if (!enabled_ || !terminal_)
        return;
    double now = clock_();
    auto now_ms = static_cast<int64_t>((now - created_) * 1000);
    int64_t due = next_draw_ms_.load(std::memory_order_relaxed);
    // One of the threads that see the second gone by draws.
    if (now_ms >= due && next_draw_ms_.compare_exchange_strong(due, now_ms + 1000))
        draw(now);
}

void Progress::draw(double now)
{
    std::lock_guard<std::mutex> lock(draw_mutex_);
    std::string line = progress_line(phase_, done_, total_, now - started_);
    size_t width = line.size();
    // Blanks over what the line before had more.
    if (drawn_width_ > width)
        line.append(drawn_width_ - width, ' ');
    std::fprintf(out_, "\r%s", line.c_str());
    std::fflush(out_);
    drawn_width_ = width;
}

void Progress::finish()
{
    if (!running_)
        return;
    running_ = false;
    double elapsed = clock_() - started_;
    auto index = static_cast<size_t>(phase_);
    seconds_[index] += elapsed; // a phase may be entered again
    bytes_[index] += done_;
    if (!enabled_)
        return;
    std::lock_guard<std::mutex> lock(draw_mutex_);
    std::string line = finished_line(phase_, done_, elapsed);
    if (drawn_width_ > 0) {
        if (drawn_width_ > line.size())
            line.append(drawn_width_ - line.size(), ' ');
        line.insert(0, 1, '\r');
    }
    std::fprintf(out_, "%s\n", line.c_str());
    std::fflush(out_);
    drawn_width_ = 0;
}

void Progress::break_line()
{
    std::lock_guard<std::mutex> lock(draw_mutex_);
    if (drawn_width_ > 0) {
        std::fputc('\n', out_);
        std::fflush(out_);
    }
    drawn_width_ = 0;
}

double Progress::seconds(Phase phase) const
{
    double before = seconds_[static_cast<size_t>(phase)];
    return running_ && phase == phase_ ? before + clock_() - started_ : before;
}

int64_t Progress::bytes(Phase phase) const
{
    int64_t before = bytes_[static_cast<size_t>(phase)];
    return running_ && phase == phase_ ? before + done_ : before;
}

double Progress::total_seconds() const
{
    return clock_() - created_;
}

} // namespace failback
