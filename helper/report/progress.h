// What is being done, how far it is, how long it will take. Written to a stream (stderr) once a second.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>

namespace failback {

enum class Phase { inspect, scan, compare, plan, fetch, apply, verify, finish };
inline constexpr size_t phase_count = 8;
const char *phase_name(Phase phase);

// On a terminal one line is rewritten in place; elsewhere each phase gets one line when it is finished. Without
// `enabled` nothing is written, but times are kept all the same. add() may be called by many threads, the rest by one.
class Progress {
public:
    using Clock = std::function<double()>; // seconds, monotonic
    Progress(bool enabled, std::FILE *out, bool terminal, Clock clock = {});
    ~Progress(); // ends an unfinished line

    // Finishes the phase before, if there is one. total in bytes; 0: not known.
    void start(Phase phase, int64_t total_bytes = 0);
    void set_total(int64_t bytes) { total_ = bytes; }
    // Bytes done since the last call; redraws when a second has gone by.
    void add(int64_t bytes);
    // For a loop that waits: redraws when a second has gone by.
    void tick() { add(0); }
    void finish();
    // Gives log messages a line of their own.
    void break_line();

    // So far, for the phase that is running; 0 if it did not run.
    double seconds(Phase phase) const;
    int64_t bytes(Phase phase) const;
    double total_seconds() const; // since construction

private:
    void draw(double now);

    const bool enabled_;
    std::FILE *const out_;
    const bool terminal_;
    const Clock clock_;
    const double created_;
    bool running_ = false;
    Phase phase_ = Phase::inspect;
    double started_ = 0;
    std::atomic<int64_t> done_{0};
    std::atomic<int64_t> total_{0};
    std::atomic<int64_t> next_draw_ms_{0};
    std::mutex draw_mutex_;
    size_t drawn_width_ = 0; // columns of the unfinished line on the terminal
    std::array<double, phase_count> seconds_{};
    std::array<int64_t, phase_count> bytes_{};
};

// The pieces, pure: "fetch: 123/680 MB (18%), 95 MB/s, 0:06 left".
std::string progress_line(Phase phase, int64_t done, int64_t total, double elapsed_seconds);
// "fetch: 680 MB in 3.2 s (212 MB/s)"
std::string finished_line(Phase phase, int64_t done, double elapsed_seconds);

} // namespace failback
