# The two commands that most people need:  make run   and   make test

# What a recipe starts finds a cargo that rustup has only just installed.
export PATH := $(PATH):$(HOME)/.cargo/bin

REFERENCE_VENV := target/reference-venv
ifeq ($(origin GRADCAM_TEST_PYTHON),undefined)
GRADCAM_TEST_PYTHON := $(CURDIR)/$(REFERENCE_VENV)/bin/python
REFERENCE_READY := $(REFERENCE_VENV)/ready
endif

OPENCV_VENV := target/opencv-venv
OPENCV_READY := $(OPENCV_VENV)/ready

JUDGE_VENV := target/judge-venv
JUDGE_READY := $(JUDGE_VENV)/ready

BROWSER_READY := tests/browser/node_modules/.package-lock.json

MODEL_WORK := target/model
MINUTES := 10

.PHONY: help run test judge test-recording test-power-loss test-http bench-http test-browser test-arm test-camera test-camera-arm memcheck bench fuzz build deps test-deps test-all deb deb-arm64 deb-armhf test-deb test-deb-arm64 test-deb-armhf cross-aarch64 cross-armv7 model fmt lint clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target does; do \
		printf '  make %-15s %s\n' "$$target" "$$does"; \
	done

run: build ## install what is missing, build, and start the live view (options: make run ARGS="--source 0")
	target/release/gradcam live $(ARGS)

build: deps ## build target/release/gradcam
	cargo build --release --locked

test: test-deps $(REFERENCE_READY) ## install what is missing, and run all tests
	GRADCAM_TEST_PYTHON=$(GRADCAM_TEST_PYTHON) cargo test --release --locked

test-http: build $(OPENCV_READY) ## the server with curl, ffmpeg, OpenCV and promtool, and fifty clients for a minute
	@sh cross/host-packages.sh http
	GRADCAM_TEST_OPENCV=$(CURDIR)/$(OPENCV_VENV)/bin/python cargo test --release --locked --test it http:: -- \
		--nocapture --include-ignored --skip glass_to_browser --skip rates_against

bench-http: build ## the rates of fifty clients against a lone one, and the time from the camera to the browser
	cargo test --release --locked --test it http:: -- --nocapture --ignored --test-threads 1 --skip fifty_clients

test-browser: build ## the page of the live view in Chromium (pictures of it: target/browser)
	@sh cross/host-packages.sh browser
	@$(MAKE) --no-print-directory $(BROWSER_READY)
	node --test tests/browser/*.test.mjs

memcheck: deps ## the kernels' and the fused engine's tests under valgrind
	@sh cross/host-packages.sh memcheck
	PROPTEST_CASES=16 CARGO_TARGET_$(shell rustc -vV | sed -n 's/host: //p' | tr a-z- A-Z_)_RUNNER="valgrind --quiet --error-exitcode=9" \
		cargo test --release --locked --lib -- kernels:: engine::fused::

bench: ## what a core can do at most, and what the kernels do
	cargo bench --locked --bench kernels

fuzz: test-deps ## try broken and hostile model files for ten minutes (longer: make fuzz MINUTES=60)
	cargo test --release --locked --test fuzz -- --minutes $(MINUTES)

cross-aarch64: ## build for 64-bit ARM boards (docs/boards.md): target/cross/aarch64-unknown-linux-gnu/release/gradcam
	@sh cross/host-packages.sh cross
	cross/build.sh aarch64

cross-armv7: ## the same for 32-bit ones
	@sh cross/host-packages.sh cross
	cross/build.sh armv7

test-arm: test-deps $(REFERENCE_READY) ## both, run under an emulator and compared with PyTorch and ONNX Runtime
	@sh cross/host-packages.sh cross
	GRADCAM_TEST_PYTHON=$(GRADCAM_TEST_PYTHON) cross/test-arm.sh

judge: deps $(JUDGE_READY) ## full-size classifiers of torchvision and timm against PyTorch: hours (some: make judge ARGS=resnet18)
	cargo build --release --locked --example judge
	$(JUDGE_VENV)/bin/python -B tests/judge/judge.py $(ARGS)
	$(JUDGE_VENV)/bin/python -B tests/judge/summary.py target/judge.jsonl

test-recording: test-deps ## recordings that are killed, on full, vanishing and slow disks, and for ten minutes
	@sh cross/host-packages.sh recording
	cargo test --release --locked --test it -- --ignored --nocapture --test-threads 1 ordeals

test-power-loss: build ## recordings in a virtual machine that is switched off (more often: ROUNDS=50)
	@sh cross/host-packages.sh recording
	cross/camera-vm/kernel.sh amd64 target/debian/vm-amd64
	cross/test-power-loss.sh target/debian/vm-amd64 target/release/gradcam

test-camera: ## cameras that work, misbehave and vanish, with real drivers in a virtual machine
	@sh cross/host-packages.sh camera
	cross/camera-vm/kernel.sh amd64 target/debian/vm-amd64
	cargo test --release --locked --test camera -- --boot amd64 --kernel target/debian/vm-amd64

test-camera-arm: ## the same on 64-bit ARM
	@sh cross/host-packages.sh camera
	@sh cross/host-packages.sh cross
	cross/camera-vm/kernel.sh arm64 target/debian/vm-arm64
	cross/build.sh aarch64
	cargo test --release --locked --test camera -- --boot arm64 --kernel target/debian/vm-arm64 \
		--program target/cross/aarch64-unknown-linux-gnu/release/gradcam \
		--init "$$(cross/build.sh aarch64 test --test camera --no-run --message-format=json | \
			sed -n 's/.*"name":"camera".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)"

deb: deps ## a Debian package for this kind of PC (amd64): target/package
	@sh cross/host-packages.sh package
	@command -v cargo-deb > /dev/null || cargo install --locked cargo-deb
	cargo build --release --locked --bin gradcam --example man
	cross/package/deb.sh amd64

deb-arm64: deb cross-aarch64 ## the same for 64-bit ARM boards
	cross/package/deb.sh arm64

deb-armhf: deb cross-armv7 ## for 32-bit ones a tarball
	cross/package/deb.sh armhf

# As root: bare systems are made, and entered.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
VERSION = $(shell sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)

test-deb: deb ## install the package in a bare Debian, and start its service under systemd in a virtual machine
	-lintian target/package/gradcam_$(VERSION)_amd64.deb
	-systemd-analyze security --offline=true --no-pager cross/package/gradcam.service | tail -n 1
	$(SUDO) cross/package/test-deb.sh target/package/gradcam_$(VERSION)_amd64.deb
	$(SUDO) cross/package/test-unit.sh target/package/gradcam_$(VERSION)_amd64.deb

test-deb-arm64: deb-arm64 ## install the ARM package in a bare Debian under an emulator
	$(SUDO) cross/package/test-deb.sh target/package/gradcam_$(VERSION)_arm64.deb

test-deb-armhf: deb-armhf ## unpack the 32-bit tarball in a bare Debian under an emulator
	$(SUDO) cross/package/test-deb.sh target/package/gradcam_$(VERSION)_armhf.tar.gz

test-all: test lint memcheck test-browser test-http test-recording test-power-loss test-camera test-deb test-arm test-camera-arm test-deb-arm64 test-deb-armhf fuzz ## all of it, which takes hours

deps: ## install the system packages that building and the window need
	@sh cross/host-packages.sh build

test-deps: ## the same, and those that the tests need
	@sh cross/host-packages.sh test

# The Python of the reference tests and of `make model`. `ready` is written last: a stopped install starts afresh.
$(REFERENCE_VENV)/ready: tests/requirements.txt models/build/requirements.txt | test-deps
	rm -rf $(REFERENCE_VENV)
	python3 -m venv $(REFERENCE_VENV)
	$(REFERENCE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@

$(OPENCV_READY): tests/it/http/requirements.txt
	@sh cross/host-packages.sh http
	rm -rf $(OPENCV_VENV)
	python3 -m venv $(OPENCV_VENV)
	$(OPENCV_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(JUDGE_READY): tests/judge/requirements.txt | test-deps
	rm -rf $(JUDGE_VENV)
	python3 -m venv $(JUDGE_VENV)
	$(JUDGE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# What drives the browser.
$(BROWSER_READY): tests/browser/package.json tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund --silent
	touch $@

# First the plain classifier from the published weights, then our own export adds the gradient head.
model: test-deps $(REFERENCE_READY) ## rebuild models/efficientnet_lite0.onnx from the published weights
	mkdir -p $(MODEL_WORK)
	$(GRADCAM_TEST_PYTHON) models/build/efficientnet_lite0.py $(MODEL_WORK)/classifier.onnx \
		--labels $(MODEL_WORK)/labels.txt
	cargo run --release --locked -- export $(MODEL_WORK)/classifier.onnx -o models/efficientnet_lite0.onnx \
		--labels $(MODEL_WORK)/labels.txt --preprocess lite --licence Apache-2.0

fmt: ## format the source
	cargo fmt

lint: ## what CI asks beside the tests: formatted source, no clippy warning
	cargo fmt --check
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/.ci/clippy-only cargo build --quiet --release --locked --all-targets

clean: ## remove everything that was built
	rm -rf target
