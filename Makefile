# What a person types:
#
#   make                builds the extension and the helper for the PostgreSQL of PG_CONFIG
#   make install        installs both (as root, where PostgreSQL belongs to root)
#   make installcheck   unit tests, pg_regress, TAP on whole failbacks; starts its own servers.
#                       Typed by root it installs what is missing, builds, installs and steps down.
#   make installcheck-faults
#                       kills, I/O errors, lies and cut networks at many more instants than installcheck tries (FAULTS=500)
#   make demo           a split brain and its failback, under two minutes
#   make bench          pg_failback beside pg_rewind on copies of the same cluster
#   make bench-compare  comparing contents beside rsync, pg_basebackup and pgbackrest
#   make bench-far-behind
#                       a small cluster and gigabytes of WAL: by WAL or by contents (WAL_GB=10)
#   make check-packages are the needed Debian packages there?
#   make tidy, walls    static analysis; who includes whom
#   make clean
#
# Variables: PG_CONFIG, SANITIZE=1, PROVE_JOBS (2), TAP_TESTS (t/*.pl), RUNS (bench: 5)
PG_CONFIG ?= pg_config
export PG_CONFIG

all:
	@.ci/packages check
	$(MAKE) -C extension all
	$(MAKE) -C helper all

install: all
	$(MAKE) -C extension install
	$(MAKE) -C helper install

uninstall:
	$(MAKE) -C extension uninstall
	$(MAKE) -C helper uninstall

installcheck:
	@.ci/step-down t/installcheck

installcheck-faults: export SUITES = tap
installcheck-faults: export TAP_TESTS = t/06*.pl t/09[4-7]*.pl
installcheck-faults: export FAULTS ?= 500
installcheck-faults:
	@.ci/step-down t/installcheck

unit:
	$(MAKE) -C helper unit

demo:
	@.ci/step-down bench/demo

bench:
	@.ci/step-down bench/run

bench-compare:
	@.ci/step-down bench/compare

bench-far-behind:
	@.ci/step-down bench/far-behind

check-packages:
	@.ci/packages $(if $(filter 0,$(shell id -u)),install,check)

tidy:
	@.ci/tidy

walls:
	@.ci/walls

clean:
	-$(MAKE) -C extension clean
	-$(MAKE) -C helper clean
	rm -rf build tmp_check

.PHONY: all install uninstall installcheck installcheck-faults unit demo bench bench-compare bench-far-behind check-packages tidy walls clean
