fn main() {
    pocketbench_app_lib::run()
}
